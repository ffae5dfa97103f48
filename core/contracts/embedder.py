"""The contract of embedders, which turn images, texts or samples into vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

Reads: TypeAlias = Literal["image", "instruction", "answer", "text"]
"""What of a sample an embedder sees: its first image, its questions, its answers, or both texts."""


class Embedder(Configurable):
    """Turns inputs into vectors; each distinct input is embedded once and stored."""

    @property
    def reads(self) -> Reads:
        """What of a sample it embeds, with these options.

        "image": the sample's images, of which the first stands for the sample in a space.
        "instruction" and "answer": all user and all assistant turns, each joined by a newline.
        "text": both, with a newline between them.
        """
        return "image"

    @property
    def batch_size(self) -> int:
        """How many inputs `embed` gets at a time."""
        return 32

    def prepare(self, image: Picture) -> Any:
        """Prepare an RGB image for `embed`; called ahead of it, in reader threads.

        Texts are not prepared.
        """
        return image

    @abstractmethod
    def embed(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return (n, d) float32, not normalised, for n prepared images, or n texts.

        An input has the same vector in any batch.
        """
