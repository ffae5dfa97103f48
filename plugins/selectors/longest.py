"""The longest answers, a baseline that is hard to beat on text alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, Selector
from ig4.core.engine.selecting.algorithm import best_first
from ig4.core.errors import UsageError
from ig4.plugins.selectors.ranking import middle_ranks, score_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class LongestOptions(contracts.Options):
    """Options of the selector `longest`."""

    length: str = Field(
        "length", min_length=1, description="The scorer that measures length; the paper counts "
        "tokens (`unit` of the scorer length).",
    )  # fmt: skip
    cap: float | None = Field(
        None, gt=0, lt=1, description="Leave out the answers above this share of the pool by "
        "length: 0.95 leaves out the longest 5 %. By default none.",
    )  # fmt: skip


class Longest(Selector):
    """Zhao and others, ICML 2024 (arXiv 2402.04833), "Long Is More for Alignment"."""

    version = "1"
    Options = LongestOptions
    options: LongestOptions

    def needs(self) -> Needs:
        """Return the lengths."""
        return Needs(columns=(self.options.length,))

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return the longest rows, longest first; see Selector.choose.

        Raises:
            UsageError: fewer than `pool.size` are left below the cap.
        """
        lengths = score_of(pool, self.options.length)
        cap = self.options.cap
        below = np.arange(pool.n) if cap is None else np.flatnonzero(middle_ranks(lengths) <= cap)
        if len(below) < pool.size:
            raise UsageError(
                f"longest: {len(below):,} of {pool.n:,} samples are left below the cap {cap:g}, "
                f"and {pool.size:,} are wanted: raise the option cap, or select fewer"
            )
        return best_first(lengths, below)[: pool.size]

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the length of a row and the share of samples below it; what keeps it out."""
        lengths = score_of(pool, self.options.length)
        rank = float(middle_ranks(lengths)[row])
        told: dict[str, JSON] = {"length": float(lengths[row]), "rank": rank}
        taken = self.choose(pool)
        if row in taken or not len(taken):
            return told
        cap, line = self.options.cap, float(lengths[taken[-1]])
        why = (
            f"its rank by length, {rank:.4f}, is above the cap {cap:g}"
            if cap is not None and rank > cap
            else f"its length is {lengths[row]:g}, and the shortest that is taken has {line:g}"
        )
        return {**told, "rejected_by": [why]}
