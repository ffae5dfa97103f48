"""The paper's selector: every cluster gives its best samples, in proportion to its size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.contracts import Needs, Selector
from ig4.core.engine.selecting.algorithm import select_by_quota

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


class Quota(Selector):
    """Algorithm 1 of the InstructionGPT-4 paper; see `ig4.core.engine.selecting.algorithm`."""

    def needs(self) -> Needs:
        """Scores and clusters."""
        return Needs(scores=True, clusters=True)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Deal quotas to the clusters and keep the best of each; see Selector.choose."""
        return select_by_quota(pool.final, pool.clusters, pool.size)
