"""The selector `semdedup`: leaves out the samples that are most like one before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs
from ig4.plugins.selectors.greedy.semanticduplicates import (
    DuplicateScores,
    Keep,
    duplicate_scores,
)
from ig4.plugins.selectors.vectors.explained import ExplainedSelector, finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class SemDedupOptions(contracts.Options):
    """Options of the selector `semdedup`."""

    space: str = Field("clip", description="The space whose vectors are compared.")
    keep: Keep = Field(
        "hard",
        description="Which of two alike samples of a cluster stays: the one farther from the "
        "centroid (hard), the nearer one (easy), or a drawn one (random).",
    )


@dataclass(frozen=True, slots=True)
class SemDedupResult:
    """The rows that stay, and how like each row of the pool is to one before it."""

    rows: NDArray[np.int64]
    scores: DuplicateScores


class SemDedup(ExplainedSelector[SemDedupResult]):
    """Semantic deduplication with an exact budget (Abbas et al. 2023).

    The method drops a row when its cosine to one before it in its cluster is above 1 - epsilon.
    Here the least epsilon is sought that leaves the size that was asked for: those with the least
    such cosine stay.
    """

    version = "1"
    Options = SemDedupOptions
    options: SemDedupOptions

    def needs(self) -> Needs:
        """The space, and the user's clusters."""
        return Needs(spaces=(self.options.space,), clusters=True)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the rows least like one before them first; see Selector.choose."""
        return self.found(pool).rows

    def run(self, pool: Pool) -> SemDedupResult:
        """Compare the rows within their clusters."""
        unit = pool.unit_vectors(self.options.space)
        scores = duplicate_scores(unit, pool.clusters, self.options.keep, pool.rng())
        rows = np.argsort(scores.nearness, kind="stable")[: pool.size]
        return SemDedupResult(rows, scores)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return what a row is like, and the epsilon that this size comes to.

        `epsilon` is None where all that stay are firsts of their cluster: no threshold alone gives
        so few.
        """
        found = self.found(pool)
        nearest = int(found.scores.nearest[row])
        last = found.scores.nearness[found.rows[-1]] if len(found.rows) else -np.inf
        return {
            "kept": bool((found.rows == row).any()),
            "similarity": finite(found.scores.nearness[row]),
            "nearest_row": nearest if nearest >= 0 else None,
            "epsilon": finite(1 - last),
        }
