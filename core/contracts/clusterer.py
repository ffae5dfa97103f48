"""The contract of clusterers, which group vectors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Clusterer(Configurable):
    """Groups image embeddings."""

    @abstractmethod
    def fit_predict(self, X: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:  # noqa: N803 - X as in scikit-learn
        """Return labels (n,) in 0..k-1 for X (n, d) float32; equal input, equal labels."""
