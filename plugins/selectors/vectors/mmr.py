"""The selector `mmr`: good samples that are unlike those already taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.plugins.selectors.greedy.mmr import maximal_marginal_relevance
from ig4.plugins.selectors.greedy.picks import Picks, zero_to_one
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, reasons_of_picks
from ig4.plugins.selectors.vectors.scores import FINAL, score_needs, score_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class MmrOptions(contracts.Options):
    """Options of the selector `mmr`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    score: str = Field(
        FINAL, description="The quality: final, or the name of a scorer whose raw values count."
    )
    relevance: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Weight (lambda) of quality; 1 - lambda is that of the greatest cosine to a "
        "taken sample.",
    )


class Mmr(ExplainedSelector[Picks]):
    """Maximal marginal relevance (Carbonell & Goldstein 1998), quality stretched from 0 to 1."""

    version = "1"
    Options = MmrOptions
    options: MmrOptions

    def needs(self) -> Needs:
        """The space and a score."""
        return Needs(spaces=(self.options.space,)) | score_needs(self.options.score)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows in the order taken; see Selector.choose."""
        return self.found(pool).rows

    def run(self, pool: Pool) -> Picks:
        """Take the rows one after another."""
        unit, quality = pool.unit_vectors(self.options.space), self._quality(pool)
        return maximal_marginal_relevance(unit, quality, pool.size, self.options.relevance)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the quality of a row, its place and value, or the taken row it is most like."""
        quality = float(self._quality(pool)[row])
        unit = pool.unit_vectors(self.options.space)
        return reasons_of_picks(self.found(pool), row, unit, quality=quality)

    def _quality(self, pool: Pool) -> NDArray[np.float64]:
        return zero_to_one(score_values(pool, self.options.score, "mmr"))
