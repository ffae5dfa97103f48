"""Ranks of values, and how far two orders agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each of values (n,), from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return ranks


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation of two columns (n,), -1 to 1.

    None where there are fewer than three rows, or one column does not vary.
    """
    if len(first) < 3:
        return None
    a, b = mid_ranks(first), mid_ranks(second)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if size <= 0.0:
        return None
    return min(1.0, max(-1.0, float((a * b).sum()) / size))


def kendall_tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Return Kendall's tau of two columns (n,) without equal values, -1 to 1.

    The share of pairs of rows that both put in the same order, minus the share of the others. None
    where there are fewer than three rows.
    """
    n = len(first)
    if n < 3:
        return None
    return 1.0 - 4.0 * _inversions(second[np.argsort(first, kind="stable")]) / (n * (n - 1))


_BLOCK = 128


def _inversions(values: NDArray[np.float64]) -> int:
    """Return how many pairs of values stand in descending order."""
    if len(values) <= _BLOCK:
        return int(np.triu(values[:, None] > values[None, :], 1).sum())
    left, right = np.array_split(values, 2)
    across = len(left) * len(right) - np.searchsorted(np.sort(left), right, side="right").sum()
    return _inversions(left) + _inversions(right) + int(across)
