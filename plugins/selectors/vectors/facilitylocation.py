"""The selector `facility-location`: every sample of the pool is like one that is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.plugins.selectors.greedy.facilitylocation import (
    Coverage,
    DenseCoverage,
    SparseCoverage,
    facility_location,
    stochastic_facility_location,
)
from ig4.plugins.selectors.greedy.graph import similarity_graph
from ig4.plugins.selectors.greedy.similarity import STORED_ROWS, Kind, Similarities
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, quality_of, reasons_of_picks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON
    from ig4.plugins.selectors.greedy.picks import Picks


class FacilityLocationOptions(contracts.Options):
    """Options of the selector `facility-location`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    similarity: Kind = Field(
        "cosine",
        description="How alike two samples are: cosine (below 0 counts as 0), cosine-squared = "
        "(1 - cosine distance)^2, correlation-squared, or euclidean (the greatest distance less "
        "theirs).",
    )
    mode: Literal["auto", "dense", "sparse", "stochastic"] = Field(
        "auto",
        description="dense compares all pairs, sparse each sample and its neighbours, stochastic "
        "all pairs of a few drawn candidates; auto is dense up to 10,000 samples, then sparse.",
    )
    neighbors: int = Field(
        100, ge=1, description="Neighbours of each sample that count in mode sparse."
    )
    epsilon: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="Mode stochastic draws n / size x ln(1 / epsilon) candidates for each place.",
    )
    alpha: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Weight of the final score beside coverage (QDIT: 0.7 to 0.9); at 0 no scores "
        "are needed.",
    )


class FacilityLocation(ExplainedSelector["Picks"]):
    """Maximises the sum over all samples of the similarity to the nearest taken one.

    f(S) = sum over i of max over j in S of s(i, j); greedy, lazily evaluated.
    """

    version = "1"
    Options = FacilityLocationOptions
    options: FacilityLocationOptions

    def needs(self) -> Needs:
        """The space, its neighbours if they may be used, and scores if they count."""
        chosen = self.options
        sparse = chosen.mode in ("auto", "sparse")
        return Needs(
            scores=chosen.alpha > 0,
            spaces=(chosen.space,),
            neighbours=((chosen.space, chosen.neighbors),) if sparse else (),
        )

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows in the order taken; see Selector.choose."""
        return self.found(pool).rows

    def run(self, pool: Pool) -> Picks:
        """Take the rows one after another."""
        chosen = self.options
        quality = quality_of(pool) if chosen.alpha > 0 else None
        coverage = self._coverage(pool)
        if chosen.mode == "stochastic":
            return stochastic_facility_location(
                coverage, pool.size, pool.rng(), chosen.epsilon, quality, chosen.alpha
            )
        return facility_location(coverage, pool.size, quality, chosen.alpha)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the place of a row and what it added, or the taken row that it is most like."""
        return reasons_of_picks(self.found(pool), row, pool.unit_vectors(self.options.space))

    def _coverage(self, pool: Pool) -> Coverage:
        chosen = self.options
        vectors = pool.vectors(chosen.space)
        if chosen.mode == "sparse" or (chosen.mode == "auto" and pool.n > STORED_ROWS):
            near = pool.neighbours(chosen.space, chosen.neighbors)
            return SparseCoverage(similarity_graph(near, vectors, chosen.similarity))
        return DenseCoverage(Similarities(vectors, chosen.similarity))
