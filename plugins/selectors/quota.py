"""The paper's selector: every cluster gives its best samples, in proportion to its size."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ig4.core.contracts import Selector
from ig4.core.engine.selecting.algorithm import final_scores, select_by_quota

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Quota(Selector):
    """Algorithm 1 of the InstructionGPT-4 paper; see `ig4.core.engine.selecting.algorithm`."""

    needs_clusters: ClassVar[bool] = True

    def select(
        self,
        percent: NDArray[np.float64],
        labels: NDArray[np.int64],
        size: int,
        weights: NDArray[np.float64],
        seed: int,
    ) -> NDArray[np.int64]:
        """Deal quotas to the clusters and keep the best of each; see Selector.select."""
        return select_by_quota(final_scores(percent, weights), labels, size)
