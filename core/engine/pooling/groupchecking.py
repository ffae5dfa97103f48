"""Checks what a grouper returns, before anybody relies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np

from ig4.core.contracts import Groups
from ig4.core.errors import PluginError
from ig4.core.texts import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray


def checked_groups(found: object, n: int, label: str) -> Groups:
    """Return the groups of n rows that a grouper gave, without those that have no member.

    Where rows have several groups, each has them in rising order.

    Raises:
        PluginError: they are no groups of n rows; names the grouper and what is wrong.
    """
    if not isinstance(found, Groups):
        _refuse(label, f"a {type(found).__name__}, not Groups")
    _check_names(found.names, label)
    labels = _labels(found.labels, n, len(found.names), label, "labels")
    if found.members is None:
        return _without_empty(found.names, labels)
    return _several(found, n, label)


def _several(found: Groups, n: int, label: str) -> Groups:
    assert found.members is not None
    starts, ids = (np.asarray(part) for part in found.members)
    fits = starts.shape == (n + 1,) and np.issubdtype(starts.dtype, np.integer)
    if not fits or starts[0] != 0 or starts[-1] != len(ids) or (np.diff(starts) < 0).any():
        _refuse(label, f"members whose first part does not cut {len(ids):,} entries in {n:,} rows")
    ids = _labels(ids, len(ids), len(found.names), label, "members")
    rows = np.repeat(np.arange(n), np.diff(starts))
    if (ids < 0).any():
        _refuse(label, "a membership of -1: a row without a group has none")
    order = np.lexsort((ids, rows))
    ids = ids[order]
    if ((np.diff(ids) == 0) & (np.diff(rows) == 0)).any():
        _refuse(label, "a row that is in one group twice")
    kept, place = _used(ids, len(found.names))
    starts = starts.astype(np.int64)
    first = np.full(n, -1, dtype=np.int64)
    has = np.diff(starts) > 0
    first[has] = place[ids[starts[:-1][has]]]
    return Groups(tuple(found.names[i] for i in kept), first, (starts, place[ids]))


def _check_names(names: object, label: str) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        _refuse(label, "names that are no tuple of texts")
    for name in names:
        if not name.strip() or one_line(name) != name:
            _refuse(label, f"the name {one_line(name)!r}, which is not one line of a few words")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        _refuse(label, f"two groups with the name {twice!r}")


def _labels(values: object, n: int, groups: int, label: str, what: str) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.shape != (n,) or not np.issubdtype(array.dtype, np.integer):
        _refuse(label, f"{what} of shape {array.shape} and type {array.dtype}, not ({n},) int64")
    low, high = int(array.min(initial=0)), int(array.max(initial=-1))
    if low < -1 or high >= groups:
        _refuse(label, f"{what} from {low} to {high} for {groups:,} groups")
    return array.astype(np.int64)


def _without_empty(names: tuple[str, ...], labels: NDArray[np.int64]) -> Groups:
    kept, place = _used(labels[labels >= 0], len(names))
    found = np.where(labels >= 0, place[labels], -1) if len(place) else labels
    return Groups(tuple(names[i] for i in kept), found)


def _used(ids: NDArray[np.int64], groups: int) -> tuple[list[int], NDArray[np.int64]]:
    """Return the groups that have members, and the new number of each group."""
    used = np.bincount(ids, minlength=groups) > 0
    return np.flatnonzero(used).tolist(), np.cumsum(used) - 1


def _refuse(label: str, what: str) -> NoReturn:
    raise PluginError(f"grouper {label} returned {what}")
