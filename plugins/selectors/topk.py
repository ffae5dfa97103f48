"""The selector without clusters: the samples with the highest final scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.contracts import Needs, Selector
from ig4.core.engine.selecting.algorithm import best_first

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


class TopK(Selector):
    """Takes the best `size` samples by F(x) = sum of weight x score."""

    def needs(self) -> Needs:
        """Scores."""
        return Needs(scores=True)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows with the highest final scores, best first; see Selector.choose."""
        return best_first(pool.final)[: pool.size]
