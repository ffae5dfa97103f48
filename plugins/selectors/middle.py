"""The middle of a score: neither the best nor the worst."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, Selector
from ig4.plugins.selectors.ranking import (
    FINAL,
    FINAL_TOLD,
    double_ranks,
    middle_ranks,
    needs_score,
    score_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class MiddleOptions(contracts.Options):
    """Options of the selector `middle`."""

    score: str = Field(FINAL, description=f"The score; {FINAL_TOLD}.")
    centre: float = Field(
        0.5, ge=0, le=1, description="The middle of the band, as a share of the samples below it."
    )


class Middle(Selector):
    """The `size` samples whose rank by a score is nearest to the centre ("middle perplexity")."""

    version = "1"
    Options = MiddleOptions
    options: MiddleOptions

    def needs(self) -> Needs:
        """Return the score."""
        return needs_score(self.options.score)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return rows by their distance to the centre, nearest first; see Selector.choose."""
        return np.argsort(self._distances(pool), kind="stable")[: pool.size]

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the score of a row and the share of samples below it; what keeps it out."""
        values = score_of(pool, self.options.score)
        rank = float(middle_ranks(values)[row])
        told: dict[str, JSON] = {"score": float(values[row]), "rank": rank}
        taken = self.choose(pool)
        if row in taken or not len(taken):
            return told
        own, farthest = (self._distances(pool)[[row, taken[-1]]] / (2 * pool.n)).tolist()
        why = (
            f"its rank, {rank:.4f}, is {own:.4f} from the centre {self.options.centre:g}, and the "
            f"farthest that is taken is {farthest:.4f} from it"
        )
        return {**told, "rejected_by": [why]}

    def _distances(self, pool: Pool) -> NDArray[np.float64]:
        """Return how far the rank of each row (n,) is from the centre, in half places."""
        ranks = double_ranks(score_of(pool, self.options.score))
        distances: NDArray[np.float64] = np.abs(ranks - 2 * pool.n * self.options.centre)
        return distances
