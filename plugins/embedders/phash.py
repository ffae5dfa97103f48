"""Perceptual hashes of images: bits that stay as they are when a picture is saved anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from ig4.core.contracts import Embedder, Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL.Image import Image as Picture


class PhashOptions(Options):
    """Options of the embedder `phash`."""

    hash: Literal["phash", "dhash", "whash"] = Field(
        "phash",
        description="phash: low frequencies of a cosine transform; dhash: is each pixel lighter "
        "than its left neighbour; whash: low frequencies of a Haar wavelet.",
    )
    hash_size: int = Field(
        8, ge=2, le=64, description="The hash has this many bits squared: 8 gives 64."
    )
    batch_size: int = Field(256, ge=1, description="Images that are stored at a time.")

    @model_validator(mode="after")
    def _wavelets_halve(self) -> PhashOptions:
        if self.hash == "whash" and self.hash_size & (self.hash_size - 1):
            raise ValueError(f"whash needs a hash_size that is a power of 2, not {self.hash_size}")
        return self


class Phash(Embedder):
    """Hashes images with the library imagehash (Buchner), after Zauner (2010) and Krawetz (2011).

    A set bit is +1, another -1: with b of d bits different, the cosine is 1 - 2 b / d.
    """

    version = "1"
    Options = PhashOptions
    options: PhashOptions
    _hash: Callable[..., Any] | None = None

    @property
    def batch_size(self) -> int:
        """How many images are stored at a time."""
        return self.options.batch_size

    def open(self) -> None:
        """Load the library."""
        import imagehash

        self._hash = getattr(imagehash, self.options.hash)

    def close(self) -> None:
        """Free it."""
        self._hash = None

    def prepare(self, image: Picture) -> NDArray[np.bool_]:
        """Return the bits (hash_size ** 2,) of an RGB image."""
        assert self._hash is not None
        bits: NDArray[np.bool_] = self._hash(image, hash_size=self.options.hash_size).hash
        return bits.reshape(-1)

    def embed(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return (n, hash_size ** 2) float32 of +1 and -1."""
        return np.where(np.stack(batch), 1.0, -1.0).astype(np.float32)
