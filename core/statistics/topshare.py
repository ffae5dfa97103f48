"""How much of the best share of a pool stays when the pool is drawn anew."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 100


@dataclass(frozen=True, slots=True)
class TopStability:
    """What stays of the best `size` of `rows` when the pool is resampled: shares from 0 to 1.

    `mean` is over the resampled pools, `low` the share that 95 % of them exceed. `tied` counts the
    rows whose value is that of the last one taken: which of them are taken is arbitrary.
    """

    rows: int
    size: int
    mean: float
    low: float
    tied: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def top_stability(
    values: NDArray[np.float64], share: float, *, resamples: int = RESAMPLES, seed: int = 42
) -> TopStability | None:
    """Return how much of the best `share` (0 to 1) of values (n,) stays in resampled pools.

    Each pool has n rows, drawn with replacement (Efron 1979), and its best k = share x n are taken
    (at least one); of the different rows among these, those count that are of the best k of the
    pool as it is. Equal values are in another random order each time, for their order says
    nothing; in the pool as it is, the first row is the better one. None for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return None
    k = max(1, round(share * n))
    order = np.argsort(-values, kind="stable")
    best = np.zeros(n, dtype=bool)
    best[order[:k]] = True
    rng = np.random.default_rng(seed)
    kept = np.empty(resamples)
    for turn in range(resamples):
        times = np.bincount(rng.integers(0, n, size=n), minlength=n)
        rows = np.lexsort((rng.random(n), -values))
        rows = rows[times[rows] > 0]
        # The last row taken may have been drawn more often than there is room for.
        taken = rows[np.cumsum(times[rows]) - times[rows] < k]
        kept[turn] = best[taken].mean()
    tied = int((values == values[order[k - 1]]).sum())
    return TopStability(n, k, float(kept.mean()), float(np.quantile(kept, 0.05)), tied)
