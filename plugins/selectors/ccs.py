"""Coverage-centric selection: strata of a score, without the hardest, have equal budgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, Selector
from ig4.core.engine.selecting.algorithm import best_first
from ig4.plugins.selectors.ranking import FINAL, FINAL_TOLD, needs_score, score_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.records import JSON


class CcsOptions(contracts.Options):
    """Options of the selector `ccs`."""

    score: str = Field(FINAL, description=f"The score to divide into strata; {FINAL_TOLD}.")
    drop: float = Field(
        0.1, ge=0, lt=1, description="The share of the pool that is dropped as too hard; less "
        "where the selection would not fit into what is left.",
    )  # fmt: skip
    hard: Literal["low", "high"] = Field(
        "low", description="Which end is hard: low values of a quality, high ones of a loss."
    )
    strata: int = Field(50, ge=1, le=100_000, description="How many strata of equal width.")


class Ccs(Selector):
    """Zheng and others, ICLR 2023 (arXiv 2210.15809), algorithm 1.

    Strata are of equal width between the least and the greatest score that is left. Budgets are
    dealt from the smallest stratum on, so that what one lacks goes to the larger ones. Within a
    stratum samples are drawn.
    """

    version = "1"
    Options = CcsOptions
    options: CcsOptions

    def needs(self) -> Needs:
        """Return the score."""
        return needs_score(self.options.score)

    def choose(self, pool: Pool) -> NDArray[np.int64]:
        """Return rows drawn from each stratum, best first; see Selector.choose."""
        values = score_of(pool, self.options.score)
        strata = self._strata(values, pool.size)
        left = strata[strata >= 0]
        budgets = deal_evenly(np.bincount(left, minlength=self.options.strata), pool.size)
        rng = pool.rng()
        drawn = [
            rng.choice(np.flatnonzero(strata == number), size=budget, replace=False)
            for number, budget in enumerate(budgets.tolist())
            if budget
        ]
        rows = np.concatenate(drawn) if drawn else np.empty(0, dtype=np.int64)
        return best_first(values if self.options.hard == "low" else -values, rows)

    def reasons(self, pool: Pool, row: int) -> Mapping[str, JSON]:
        """Return the stratum of a row, its members and its budget; -1 was dropped as too hard."""
        values = score_of(pool, self.options.score)
        strata = self._strata(values, pool.size)
        counts = np.bincount(strata[strata >= 0], minlength=self.options.strata)
        own = int(strata[row])
        told = {"score": float(values[row]), "stratum": own}
        if own < 0:
            return told
        budget = int(deal_evenly(counts, pool.size)[own])
        return {**told, "members": int(counts[own]), "budget": budget}

    def _strata(self, values: NDArray[np.float64], size: int) -> NDArray[np.int64]:
        """Return the stratum (n,) of each row; -1 is dropped."""
        n = len(values)
        dropped = min(int(self.options.drop * n), n - size)
        hardest_last = best_first(values if self.options.hard == "low" else -values)
        kept = np.sort(hardest_last[: n - dropped])
        strata = np.full(n, -1, dtype=np.int64)
        low, high = values[kept].min(), values[kept].max()
        if low == high:
            strata[kept] = 0
            return strata
        # Divided first: the difference of two huge values must not overflow.
        share = (values[kept] / 2 - low / 2) / (high / 2 - low / 2)
        strata[kept] = np.minimum(share * self.options.strata, self.options.strata - 1)
        return strata


def deal_evenly(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Share `size` evenly among groups of `counts` (g,) members, from the smallest group on.

    Each gets an equal part of what is left to give, at most its members; the rest of a division
    goes to the larger groups, and ties to the lower index. Sums to `size` if there are as many.
    """
    budgets = np.zeros_like(counts)
    order = np.flatnonzero(counts)
    order = order[np.argsort(counts[order], kind="stable")]
    left = size
    for place, group in enumerate(order.tolist()):
        budgets[group] = min(int(counts[group]), left // (len(order) - place))
        left -= int(budgets[group])
    return budgets
