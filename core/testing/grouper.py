"""Checks for groupers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Grouper, Groups
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks
from ig4.core.testing.pool import ArrayPoolData, make_pool, make_pool_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], Grouper]
Data = Callable[[int], ArrayPoolData]


def grouper_checks(make: Make, *, data: Data | None = None) -> list[Check]:
    """Return the checks of a grouper, on generated pools or those that `data` makes."""
    return component_checks(make) + checks_from(
        check_every_row_has_a_group_that_is_named,
        check_names_are_texts_that_differ,
        check_is_deterministic,
        check_groups_the_same_after_pickling,
        check_another_order_gives_the_same_groups,
        check_equal_samples_are_in_one_group,
        check_one_row_is_a_pool,
        check_leaves_global_random_state_alone,
        given=(make, data),
    )


def check_every_row_has_a_group_that_is_named(make: Make, data: Data | None) -> None:
    """Labels are (n,) integers that name a group each, or -1 for none."""
    groups = _groups(make, _data(make, data))
    labels = groups.labels
    require(labels.shape == (50,), f"the shape is {labels.shape}, not (50,)")
    require(np.issubdtype(labels.dtype, np.integer), f"the dtype is {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    require(low >= -1 and high < len(groups.names), f"labels run from {low} to {high}")
    if groups.members is not None:
        starts, ids = groups.members
        require(starts.shape == (51,) and starts[-1] == len(ids), "memberships do not fit the rows")


def check_names_are_texts_that_differ(make: Make, data: Data | None) -> None:
    """Names are for people; no two groups share one."""
    names = _groups(make, _data(make, data)).names
    require(all(isinstance(name, str) and name.strip() for name in names), f"names are {names!r}")
    require(len(set(names)) == len(names), "two groups have one name")


def check_is_deterministic(make: Make, data: Data | None) -> None:
    """Equal pools give equal groups, from another instance too."""
    first, second = _named(make, _data(make, data)), _named(make, _data(make, data))
    require(first == second, "equal pools gave different groups")


def check_groups_the_same_after_pickling(make: Make, data: Data | None) -> None:
    """A grouper that was sent to another process gives the same groups."""
    pickled = pickle.dumps(make())
    again = _named(lambda: pickle.loads(pickled), _data(make, data))  # noqa: S301 - our own bytes
    require(_named(make, _data(make, data)) == again, "pickling changed the groups")


def check_another_order_gives_the_same_groups(make: Make, data: Data | None) -> None:
    """Rows in another order have their groups in that order."""
    candidates = _data(make, data)
    order = np.random.default_rng(5).permutation(50)
    named = _partition(make, candidates)[order]
    again = _partition(make, candidates.take(order))
    require(_same_partition(named, again), "the order of the rows changes the groups")


def check_equal_samples_are_in_one_group(make: Make, data: Data | None) -> None:
    """A sample that is there twice is in one group twice."""
    twice = np.concatenate([np.arange(50), [7]])
    labels = _groups(make, _data(make, data).take(twice)).labels
    require(labels[7] == labels[50], "two equal samples are in different groups")


def check_one_row_is_a_pool(make: Make, data: Data | None) -> None:
    """One sample alone has a group, or none."""
    labels = _groups(make, _data(make, data).take(np.array([3]))).labels
    require(labels.shape == (1,), f"one row gave labels of shape {labels.shape}")


def check_leaves_global_random_state_alone(make: Make, data: Data | None) -> None:
    """Random numbers come from the seed alone."""
    candidates = _data(make, data)
    with untouched_random_state():
        _groups(make, candidates)


def _data(make: Make, data: Data | None, n: int = 50) -> ArrayPoolData:
    return make_pool_data(n, make().needs()) if data is None else data(n)


def _groups(make: Make, data: ArrayPoolData) -> Groups:
    with opened(make) as grouper:
        return grouper.group(make_pool(data, grouper.needs()))


def _named(make: Make, data: ArrayPoolData) -> list[str]:
    groups = _groups(make, data)
    return ["" if label < 0 else groups.names[label] for label in groups.labels.tolist()]


def _partition(make: Make, data: ArrayPoolData) -> NDArray[np.int64]:
    return _groups(make, data).labels


def _same_partition(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    """Tell whether two labellings put the same rows together."""
    pairs = len(set(zip(first.tolist(), second.tolist(), strict=True)))
    return pairs == len(np.unique(first)) == len(np.unique(second))
