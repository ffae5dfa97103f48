"""The contract of indexes, which find the nearest neighbours of vectors."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from ig4.core.contracts.root import Configurable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts.pool import Neighbours


class Index(Configurable):
    """Finds nearest neighbours: exactly, or nearly and faster."""

    @abstractmethod
    def neighbours(self, X: NDArray[np.float32], k: int, seed: int) -> Neighbours:  # noqa: N803 - X as in scikit-learn
        """Return the k nearest other rows of each row of X by cosine; 1 <= k < n.

        X is (n, d) float32, its rows of length 1 (or 0). Equal input gives equal output.
        """
