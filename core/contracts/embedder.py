"""The contract of embedders, which turn images into vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture


class Embedder(Configurable):
    """Turns images into vectors; each distinct image is embedded once and stored."""

    @property
    def batch_size(self) -> int:
        """How many images `embed` gets at a time."""
        return 32

    def prepare(self, image: Picture) -> Any:
        """Prepare an RGB image for `embed`; called ahead of it, in reader threads."""
        return image

    @abstractmethod
    def embed(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return (n, d) float32, not normalised, for n prepared images."""
