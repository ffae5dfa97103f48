"""CLIP embeddings of images, from which CLIP scores and clusters are computed, and of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ig4.core.contracts import Embedder
from ig4.core.contracts.embedder import Reads
from ig4.plugins.models import clipoptions, openclip
from ig4.plugins.models.cliptexts import encode_texts, sentences_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON


class ClipEmbedderOptions(clipoptions.ClipModelOptions):
    """Options of the embedder `clip`."""

    reads: Reads = Field(
        "image", description="What is embedded: image, instruction, answer, or text (both)."
    )
    text: Literal["sentences", "whole"] = Field(
        "sentences",
        description="sentences: mean over a text's first ones, as the scorer clip does; "
        "whole: the text, cut to the context length.",
    )
    max_sentences: int = Field(10, ge=1, description="How many sentences count.")
    batch_size: int = Field(32, ge=1, description="Images, or texts, in one forward pass.")


class ClipEmbedder(Embedder):
    """Embeds images with a CLIP vision tower, or texts with its text tower.

    Vectors of images are stored as the tower returns them. The vector of a text is the mean of the
    normalised vectors of its first sentences, as the scorer `clip` reads answers: its dot product
    with a normalised image is the CLIP score / 100. A sentence longer than the tower's context is
    cut there.
    """

    version = "1"
    Options = ClipEmbedderOptions
    options: ClipEmbedderOptions
    _clip: openclip.ClipModel | None = None

    @property
    def batch_size(self) -> int:
        """How many images, or texts, `embed` gets at a time."""
        return self.options.batch_size

    @property
    def reads(self) -> Reads:
        """Images, unless the options say otherwise."""
        return self.options.reads

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, weights and precision; of texts also what is read and how."""
        own = clipoptions.clip_identity(self.options, digest)
        if self.options.reads == "image":
            return own
        rule: dict[str, JSON] = {"reads": self.options.reads, "text": self.options.text}
        if self.options.text == "sentences":
            rule["max_sentences"] = self.options.max_sentences
        return {**own, **rule}

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
        """Return (n, d) float32, not normalised.

        Raises:
            ValueError: a text has no sentence.
        """
        assert self._clip is not None
        if self.options.reads != "image":
            return self._embed_texts(batch)
        return np.ascontiguousarray(self._clip.encode_images(batch).numpy(), dtype=np.float32)

    def _embed_texts(self, batch: Sequence[str]) -> NDArray[np.float32]:
        assert self._clip is not None
        parts = [self._parts(text) for text in batch]
        distinct = list(dict.fromkeys(part for own in parts for part in own))
        known = encode_texts(self._clip, distinct, self.options.batch_size)
        means = [np.mean([known[part].vector for part in own], axis=0) for own in parts]
        return np.stack(means).astype(np.float32)

    def _parts(self, text: str) -> tuple[str, ...]:
        if self.options.text == "whole":
            return (text,)
        found = sentences_of(text, self.options.max_sentences)
        if not found:
            raise ValueError("the text has no sentence")
        return found
