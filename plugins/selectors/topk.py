"""The selector without clusters: the samples with the highest final scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.contracts import Selector
from ig4.core.engine.selecting.algorithm import best_first, final_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TopK(Selector):
    """Takes the best `size` samples by F(x) = sum of weight x score."""

    def select(
        self,
        percent: NDArray[np.float64],
        labels: NDArray[np.int64],
        size: int,
        weights: NDArray[np.float64],
        seed: int,
    ) -> NDArray[np.int64]:
        """Return the rows with the highest final scores, best first; see Selector.select."""
        return best_first(final_scores(percent, weights))[:size]
