"""The index that compares every row with every other one, with numpy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.contracts import Index
from ig4.core.statistics.neighbours import exact_neighbours

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Neighbours


class Exact(Index):
    """Multiplies all rows with all rows, block by block; n x n x d multiplications."""

    def neighbours(self, X: NDArray[np.float32], k: int, seed: int) -> Neighbours:  # noqa: N803 - the contract's names
        """Return the k nearest other rows of each row; see Index.neighbours."""
        return exact_neighbours(X, k)
