"""How much of the variance of values lies between groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Groups


def group_means(values: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Return the mean (g,) of values (n,) in each group; NaN where a group has no value.

    A row with several groups counts in each of them; values that are NaN do not count.
    """
    rows, labels = _pairs(values, groups)
    count = np.bincount(labels, minlength=len(groups.names))
    total = np.bincount(labels, weights=values[rows], minlength=len(groups.names))
    empty = np.full(len(count), np.nan)
    return np.asarray(np.divide(total, count, out=empty, where=count > 0))


def eta_squared(values: NDArray[np.float64], groups: Groups) -> float | None:
    """Return the share of the variance of values (n,) that lies between groups, from 0 to 1.

    Eta squared = sum_g n_g (mean_g - mean)^2 / sum_i (x_i - mean)^2, over the pairs of rows and
    groups whose values are known. None where fewer than two groups have values, or all are equal.
    """
    rows, labels = _pairs(values, groups)
    if len(rows) == 0:
        return None
    known = values[rows] - values[rows].mean()
    total = float(np.square(known).sum())
    count = np.bincount(labels, minlength=len(groups.names))
    if np.count_nonzero(count) < 2 or total <= _NOTHING * max(1.0, float(np.abs(known).max())):
        return None
    sums = np.bincount(labels, weights=known, minlength=len(groups.names))
    between = np.divide(np.square(sums), count, out=np.zeros(len(count)), where=count > 0).sum()
    return min(1.0, float(between) / total)


_NOTHING = 1e-24


def _pairs(
    values: NDArray[np.float64], groups: Groups
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows with a value and their groups, a pair for each membership."""
    if groups.members is None:
        rows = np.flatnonzero((groups.labels >= 0) & ~np.isnan(values))
        return rows, groups.labels[rows]
    starts, ids = groups.members
    rows = np.repeat(np.arange(len(values)), np.diff(starts))
    known = ~np.isnan(values[rows])
    return rows[known], ids[known]
