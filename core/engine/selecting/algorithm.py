"""Algorithm 1 of the InstructionGPT-4 paper, as pure functions on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ig4.core.counts import counted
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def final_scores(percent: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F(x) = sum of weight x score for percent (n, m) and weights (m,) as (n,) float64.

    The columns are added one after the other: a matrix product may sum in another order on
    another processor, and a tie would then break differently.
    """
    total = np.zeros(len(percent), dtype=np.float64)
    for column, weight in zip(percent.T, weights, strict=True):
        total += column * weight
    return total


def deal_quotas(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Share `size` among clusters of `counts` (c,) members in proportion, by largest remainder.

    Returns (c,) int64 that sums to exactly `size` and never exceeds a count. Equal remainders
    go to the larger cluster, then to the lower index. Integer arithmetic throughout.

    Raises:
        UsageError: `size` is negative or above the number of members.
    """
    total = int(counts.sum())
    if not 0 <= size <= total:
        raise UsageError(
            f"cannot select {size:,} of {counted(total, 'sample')}: choose a size from 0 to "
            f"{total:,}"
        )
    if total == 0:
        return np.zeros_like(counts, dtype=np.int64)
    whole, rest = np.divmod(counts.astype(np.int64) * size, total)
    order = np.lexsort((np.arange(len(counts)), -counts, -rest))
    whole[order[: size - int(whole.sum())]] += 1
    return whole


def share_quotas(
    weights: NDArray[np.float64], capacity: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """Share `size` among groups in proportion to `weights` (g,), by largest remainder.

    No group gets more than its `capacity` (g,) int64; what is over is dealt on among the others.
    Returns (g,) int64 that sums to exactly `size`. Equal remainders go to the larger weight, then
    to the lower index; groups of weight 0 get something only when all others are full.

    Raises:
        UsageError: there is not so much capacity.
    """
    if not 0 <= size <= int(capacity.sum()):
        raise UsageError(
            f"cannot deal {size:,} to groups that have {counted(int(capacity.sum()), 'sample')}"
        )
    given = np.zeros(len(capacity), dtype=np.int64)
    while (rest := size - int(given.sum())) > 0:
        open_ = given < capacity
        share = np.where(open_, weights, 0.0)
        if not share.any():
            share = open_.astype(np.float64)
        share = share / share.max()
        exact = share / share.sum() * rest
        whole = np.floor(exact).astype(np.int64)
        order = np.lexsort((np.arange(len(share)), -share, -np.round(exact - whole, 9)))
        candidates = order[share[order] > 0]
        whole[candidates[: rest - int(whole.sum())]] += 1
        given += np.minimum(whole, capacity - given)
    return given


def select_by_quota(
    scores: NDArray[np.float64], labels: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """Return the rows of the best of each cluster, best first, (size,) int64.

    `scores` (n,) is F(x), `labels` (n,) the cluster of each row. Ties go to the lower row.
    """
    clusters, counts = np.unique(labels, return_counts=True)
    quotas = deal_quotas(counts, size)
    kept = [
        _top(scores, np.flatnonzero(labels == cluster), quota)
        for cluster, quota in zip(clusters, quotas.tolist(), strict=True)
        if quota
    ]
    return best_first(scores, np.concatenate(kept) if kept else np.empty(0, dtype=np.int64))


def _top(scores: NDArray[np.float64], rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the `count` of `rows` (ascending) with the highest scores; ties to the lower row.

    A partition rather than a sort: of a million rows a few hundred are wanted.
    """
    own = scores[rows]
    line = np.partition(own, len(own) - count)[len(own) - count]
    above = rows[own > line]
    return np.concatenate([above, rows[own == line][: count - len(above)]])


def best_first(
    scores: NDArray[np.float64], rows: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return `rows` (all rows of `scores` (n,) if None) by score descending, ties by row."""
    rows = np.arange(len(scores)) if rows is None else np.sort(rows)
    return rows[np.argsort(-scores[rows], kind="stable")]
