"""CLIP image embeddings, from which CLIP scores and clusters are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from ig4.core.contracts import Embedder
from ig4.plugins.models import clipoptions, openclip

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON


class ClipEmbedderOptions(clipoptions.ClipModelOptions):
    """Options of the embedder `clip`."""

    batch_size: int = Field(32, ge=1, description="Images in one forward pass.")


class ClipEmbedder(Embedder):
    """Embeds images with a CLIP vision tower; vectors are stored as the tower returns them."""

    version = "1"
    Options = ClipEmbedderOptions
    options: ClipEmbedderOptions
    _clip: openclip.ClipModel | None = None

    @property
    def batch_size(self) -> int:
        """How many images one forward pass takes."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, weights and precision."""
        return clipoptions.clip_identity(self.options, digest)

    def open(self) -> None:
        """Load the model, or share it with a scorer that has loaded it.

        Raises:
            PrerequisiteError: weights or device are not there.
            UsageError: an unknown architecture or tag.
        """
        self._clip = openclip.acquire(self.options)

    def close(self) -> None:
        """Release the model."""
        if self._clip is not None:
            self._clip = None
            openclip.release(self.options)

    def prepare(self, image: Picture) -> Any:
        """Return open_clip's own evaluation transform of an RGB image, (3, size, size) float32.

        Raises:
            ImageShapeError: it is so narrow that it would become enormous on the way.
        """
        assert self._clip is not None
        return self._clip.prepare(image)

    def embed(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return (n, d) float32, not normalised."""
        assert self._clip is not None
        return np.ascontiguousarray(self._clip.encode_images(batch).numpy(), dtype=np.float32)
