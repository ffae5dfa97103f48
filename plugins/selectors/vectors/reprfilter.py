"""The selector `repr-filter`: the best samples, without those that are like a better one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.core.counts import counted, verb
from ig4.core.engine.selecting.algorithm import best_first
from ig4.plugins.selectors.greedy.repetitionfilter import FilterResult, repetition_filter
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, finite
from ig4.plugins.selectors.vectors.scores import FINAL, score_needs, score_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class ReprFilterOptions(contracts.Options):
    """Options of the selector `repr-filter`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    score: str = Field(
        FINAL,
        description="By what the samples are walked, best first: final, or the name of a scorer "
        "whose raw values count.",
    )
    threshold: float = Field(
        0.9,
        ge=-1,
        le=1,
        description="A sample is kept if its cosine to each kept one is at most this; where too "
        "few are, those left out are walked again with a greater one.",
    )


class ReprFilter(ExplainedSelector[FilterResult]):
    """DEITA's filter of representations (Liu et al. 2024)."""

    version = "1"
    Options = ReprFilterOptions
    options: ReprFilterOptions

    def needs(self) -> Needs:
        """The space and a score."""
        return Needs(spaces=(self.options.space,)) | score_needs(self.options.score)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the kept rows, best first; then those of greater thresholds; see Selector."""
        found = self.found(pool)
        passed = found.threshold[found.rows]
        relaxed = int((passed > self.options.threshold).sum())
        if relaxed:
            pool.tell(
                f"repr-filter: {counted(relaxed, 'sample')} of {pool.size:,} "
                f"{verb(relaxed, 'is', 'are')} nearer to a better one than "
                f"{self.options.threshold:g}, as too few others are there: the threshold was "
                f"raised to {float(passed.max()):.2f} (select fewer, or -o "
                "repr-filter.threshold=…)"
            )
        return found.rows

    def run(self, pool: Pool) -> FilterResult:
        """Walk the rows by their score."""
        order = best_first(score_values(pool, self.options.score, "repr-filter"))
        unit = pool.unit_vectors(self.options.space)
        return repetition_filter(unit, order, pool.size, self.options.threshold)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the kept row that a row is like, and the threshold it passed or did not.

        `relaxed` tells that the row stayed only because too few passed the threshold asked for. A
        row that the walk did not reach has no threshold.
        """
        found = self.found(pool)
        kept = bool((found.rows == row).any())
        threshold = finite(found.threshold[row])
        nearest = int(found.nearest[row])
        return {
            "kept": kept,
            "reached": threshold is not None,
            "threshold": threshold,
            "relaxed": kept and threshold is not None and threshold > self.options.threshold,
            "similarity": finite(found.similarity[row]),
            "nearest_row": nearest if nearest >= 0 else None,
        }
