"""Bring raw scores of different units to one 0-100 scale, as pure functions on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values: TypeAlias = NDArray[np.float64]

Scale: TypeAlias = Literal["paper", "minmax", "percentile", "zscore"]
SCALES: tuple[str, ...] = get_args(Scale)


def as_it_is(values: Values) -> Values:
    """Return values (n,) unchanged: CLIP's 100 x cosine and GPT's 0-100 are percents already."""
    return values


def times_ten(values: Values) -> Values:
    """Return 10 x values (n,): the paper's percent scale of a reward logit.

    As in the authors' code nothing is clipped: a logit below 0 or above 10 leaves 0-100.
    """
    tenfold: Values = values * 10.0
    return tenfold


def share_of_longest(values: Values) -> Values:
    """Return 100 x values / max(values) (n,): the paper's percent scale of a length."""
    longest = values.max(initial=0.0)
    share: Values = values * (100.0 / longest) if longest > 0 else np.zeros_like(values)
    return share


def minmax(values: Values) -> Values:
    """Stretch values (n,) linearly so that the least is 0 and the greatest 100; equal ones: 50."""
    if values.size == 0:
        return values
    low, high = values.min(), values.max()
    if low == high:
        return np.full_like(values, 50.0)
    # Divided first: the difference of two huge values must not overflow.
    share: Values = (values / 2 - low / 2) / (high / 2 - low / 2)
    return share.clip(0.0, 1.0) * 100.0


def percentile(values: Values) -> Values:
    """Return the mid-rank of each of values (n,), 0-100; equal values share their mean rank."""
    if values.size == 0:
        return values
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    ranks: Values = (below + counts / 2)[inverse] * (100.0 / values.size)
    return ranks


def zscore(values: Values) -> Values:
    """Return T-scores 50 + 10 (v - mean) / sd of values (n,), population sd; equal ones: 50."""
    if values.size == 0:
        return values
    spread = values.std()
    # The sd of equal values need not be exactly 0 in floating point.
    if spread <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return np.full_like(values, 50.0)
    scores: Values = 50.0 + 10.0 * (values - values.mean()) / spread
    return scores


def within_groups(
    scale: Callable[[Values], Values], values: Values, labels: NDArray[np.int64]
) -> Values:
    """Return values (n,) scaled among those of their own group, labels (n,)."""
    result = np.empty_like(values)
    order = np.argsort(labels, kind="stable")
    edges = np.flatnonzero(np.diff(labels[order])) + 1
    for rows in np.split(order, edges):
        if rows.size:
            result[rows] = scale(values[rows])
    return result


def percentile_within(values: Values, labels: NDArray[np.int64]) -> Values:
    """Return the mid-rank of each of values (n,) among those of its group, 0-100.

    As `within_groups(percentile, …)`, in one sort for all groups.
    """
    if values.size == 0:
        return values
    order = _by_group_and_value(values, labels)
    own, group = values[order], labels[order]
    new_group = np.r_[True, group[1:] != group[:-1]]
    new_run = new_group | np.r_[True, own[1:] != own[:-1]]
    starts = np.flatnonzero(new_run)
    sizes = np.diff(np.r_[starts, len(own)])
    first = np.flatnonzero(new_group)
    members = np.diff(np.r_[first, len(own)])
    of_group = np.cumsum(new_group) - 1
    of_run = np.cumsum(new_run) - 1
    below = starts[of_run] - first[of_group]
    ranks = np.empty_like(values)
    ranks[order] = (below + sizes[of_run] / 2) * (100.0 / members[of_group])
    return ranks


def _by_group_and_value(values: Values, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order of rows by group, and by value within a group."""
    if labels.max(initial=0) >= _FEW_GROUPS or labels.min(initial=0) < 0:
        return np.lexsort((values, labels))
    # Sorting small integers takes linear time, and sorting each group apart is faster than all.
    order = np.argsort(labels.astype(np.int16), kind="stable")
    edges = np.flatnonzero(np.diff(labels[order])) + 1
    parts = np.split(order, edges)
    return np.concatenate([rows[np.argsort(values[rows])] for rows in parts])


_FEW_GROUPS = 4096

RELATIVE: Mapping[str, Callable[[Values], Values]] = {
    "minmax": minmax,
    "percentile": percentile,
    "zscore": zscore,
}
"""The scales that look only at the values, whatever scorer gave them."""

PAPER_SCALES: Mapping[str, Callable[[Values], Values]] = {
    "clip": as_it_is,
    "length": share_of_longest,
    "reward": times_ten,
    "gpt": as_it_is,
}
"""The paper's percent scales by indicator (section 3.1), for scores that were imported."""

PAPER_WEIGHTS: Mapping[str, float] = {"clip": 0.53, "length": 0.10, "reward": 0.10, "gpt": 0.27}
"""The lambdas of F(x) in the paper's Table 2."""
