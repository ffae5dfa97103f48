"""Checks for selectors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Needs, Selector
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks
from ig4.core.testing.pool import ArrayPoolData, make_pool, make_pool_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], Selector]
Data = Callable[[int], ArrayPoolData]


def selector_checks(
    make: Make, *, by_score: bool = True, seeded: bool = True, data: Data | None = None
) -> list[Check]:
    """Return the checks of a selector, on generated pools.

    `by_score=False` leaves out the checks that hold only where scores decide: better rows first,
    and ties to the lower row. `seeded=False` is for a selector whose `Options` make its choice
    depend on more than the seed. `data` makes the values of a pool of n rows, where random ones
    will not do; its rows must be so many that 50 can be told apart.
    """
    given = (make, data)
    checks = component_checks(make) + checks_from(
        check_needs_are_declared_alike,
        check_gives_as_many_distinct_rows_as_asked,
        check_is_deterministic,
        check_another_seed_is_valid_too,
        check_selects_the_same_after_pickling,
        check_leaves_its_input_alone,
        check_leaves_global_random_state_alone,
        check_reads_only_what_it_declares,
        check_one_scorer,
        check_one_sample,
        check_clusters_of_very_different_size,
        check_labels_with_gaps,
        check_equal_samples,
        check_explains_without_choosing_otherwise,
        check_rejections_are_rules_of_rows,
        check_quotas_are_of_all_rows,
        given=given,
    )
    if by_score:
        checks += checks_from(
            check_better_samples_come_first, check_ties_go_to_the_lower_row, given=given
        )
    return checks


def check_needs_are_declared_alike(make: Make, data: Data | None) -> None:
    """`needs` depends on the options alone, and can be a part of a fingerprint."""
    first, second = make().needs(), make().needs()
    require(isinstance(first, Needs), f"needs() returned {type(first).__name__}, not Needs")
    require(first == second, "equal options need different things")


def check_gives_as_many_distinct_rows_as_asked(make: Make, data: Data | None) -> None:
    """`size` row indices, none twice, all of them rows, whatever the size."""
    candidates = _data(make, data)
    for size in (1, 7, 25, 49, 50):
        _require_valid(_rows(make, candidates, size), size, candidates.n)


def check_is_deterministic(make: Make, data: Data | None) -> None:
    """Equal pools give equal rows, from another instance too."""
    for seed in (0, 7):
        first = _rows(make, _data(make, data), 20, seed)
        second = _rows(make, _data(make, data), 20, seed)
        require(np.array_equal(first, second), f"seed {seed} gave two different selections")


def check_another_seed_is_valid_too(make: Make, data: Data | None) -> None:
    """Any seed of 32 bits is accepted."""
    for seed in (1, 2**31 - 1, 2**32 - 1):
        _require_valid(_rows(make, _data(make, data), 20, seed), 20, 50)


def check_selects_the_same_after_pickling(make: Make, data: Data | None) -> None:
    """A selector that was sent to another process selects the same rows."""
    pickled = pickle.dumps(make())
    candidates = _data(make, data)
    again = _rows(lambda: pickle.loads(pickled), candidates, 20)  # noqa: S301 - our own bytes
    require(np.array_equal(_rows(make, candidates, 20), again), "pickling changed the selection")


def check_leaves_its_input_alone(make: Make, data: Data | None) -> None:
    """Scores, vectors, labels and weights must not change."""
    candidates = _data(make, data)
    before = {name: array.copy() for name, array in _arrays(candidates).items()}
    _rows(make, candidates, 20)
    for name, array in _arrays(candidates).items():
        require(np.array_equal(before[name], array, equal_nan=True), f"choose changed {name}")


def check_leaves_global_random_state_alone(make: Make, data: Data | None) -> None:
    """Random numbers come from the seed alone."""
    candidates = _data(make, data)
    with untouched_random_state():
        _rows(make, candidates, 20)


def check_reads_only_what_it_declares(make: Make, data: Data | None) -> None:
    """What `needs` leaves out is not there."""
    needs, candidates = make().needs(), _data(make, data)
    if not needs.scores:
        candidates = replace(candidates, percent_by_scorer={}, weight_by_scorer={})
    if not needs.clusters:
        candidates = replace(candidates, labels=None)
    _require_valid(_rows(make, candidates, 20), 20, candidates.n)


def check_one_scorer(make: Make, data: Data | None) -> None:
    """A single counting score is enough."""
    candidates = _data(make, data)
    name = candidates.scorers[0]
    only = {name: candidates.percent_by_scorer[name]}
    one = replace(candidates, percent_by_scorer=only, weight_by_scorer={name: 1.0})
    _require_valid(_rows(make, one, 10), 10, 50)


def check_one_sample(make: Make, data: Data | None) -> None:
    """Of one sample one is chosen."""
    rows = _rows(make, _data(make, data).take(np.array([3])), 1)
    require(rows.tolist() == [0], f"of one sample rows {rows.tolist()} were chosen")


def check_clusters_of_very_different_size(make: Make, data: Data | None) -> None:
    """One giant cluster and some of one sample still give exactly `size` rows."""
    labels = np.where(np.arange(50) < 3, np.arange(50) + 1, 0)
    candidates = replace(_data(make, data), labels=labels)
    for size in (1, 2, 10, 48, 50):
        _require_valid(_rows(make, candidates, size), size, 50)


def check_labels_with_gaps(make: Make, data: Data | None) -> None:
    """Some cluster numbers may have no sample."""
    candidates = _data(make, data)
    assert candidates.labels is not None
    gaps = replace(candidates, labels=candidates.labels * 5)
    _require_valid(_rows(make, gaps, 20), 20, 50)


def check_equal_samples(make: Make, data: Data | None) -> None:
    """Of samples that are all equal, as many are chosen as are asked for."""
    candidates = _data(make, data).take(np.zeros(50, dtype=np.int64))
    _require_valid(_rows(make, candidates, 20), 20, 50)


def check_explains_without_choosing_otherwise(make: Make, data: Data | None) -> None:
    """`reasons` gives named values or None for any row, and changes nothing.

    Values under `…_row` and `…_rows` are rows of the pool.
    """
    candidates = _data(make, data)
    with opened(make) as selector:
        pool = make_pool(candidates, selector.needs(), size=20)
        before = np.asarray(selector.choose(pool)).copy()
        for row in (int(before[0]), int(np.setdiff1d(np.arange(50), before)[0])):
            told = selector.reasons(pool, row)
            require(told is None or isinstance(dict(told), dict), f"reasons returned {told!r}")
            for key, value in (told or {}).items():
                require(_names_rows(key, value, pool.n), f"reasons has {key} = {value!r}: no row")
        after = selector.choose(make_pool(candidates, selector.needs(), size=20))
    require(np.array_equal(before, after), "reasons changed what is chosen")


def check_rejections_are_rules_of_rows(make: Make, data: Data | None) -> None:
    """`rejections` gives None, or rules that have names and a label (n,) for each row."""
    candidates = _data(make, data)
    with opened(make) as selector:
        found = selector.rejections(make_pool(candidates, selector.needs(), size=20))
    if found is None:
        return
    labels = np.asarray(found.labels)
    good = labels.shape == (candidates.n,) and np.issubdtype(labels.dtype, np.integer)
    require(good, f"rejections gives labels {labels.dtype} of shape {labels.shape}")
    inside = labels.min(initial=-1) >= -1 and labels.max(initial=-1) < len(found.names)
    require(bool(inside), f"rejections gives labels of {len(found.names)} rules that are not there")
    require(all(map(str.strip, found.names)), "rejections gives a rule without a name")


def check_quotas_are_of_all_rows(make: Make, data: Data | None) -> None:
    """`quotas`, if any are dealt, is a whole number for each row, not below 0."""
    with opened(make) as selector:
        pool = make_pool(_data(make, data), selector.needs(), size=20)
        selector.choose(pool)
        quotas = selector.quotas(pool)
    dealt = np.zeros(pool.n, dtype=np.int64) if quotas is None else np.asarray(quotas)
    whole = dealt.shape == (pool.n,) and np.issubdtype(dealt.dtype, np.integer)
    require(
        whole and bool((dealt >= 0).all()),
        f"quotas must be a whole number for each of {pool.n} rows, not {dealt.dtype} of shape "
        f"{dealt.shape}",
    )


def check_better_samples_come_first(make: Make, data: Data | None) -> None:
    """In one cluster and with one scorer, rows come by score, best first."""
    candidates = _data(make, data)
    name = candidates.scorers[0]
    scores = candidates.percent_by_scorer[name]
    one = replace(
        candidates, percent_by_scorer={name: scores}, weight_by_scorer={name: 1.0}, labels=None
    )
    rows = _rows(make, one, 10)
    best = np.argsort(-scores, kind="stable")[:10]
    require(np.array_equal(rows, best), f"rows {rows.tolist()}, not {best.tolist()}")


def check_ties_go_to_the_lower_row(make: Make, data: Data | None) -> None:
    """Of equal samples the first ones are taken, in order."""
    candidates = _data(make, data)
    equal = {name: np.full(50, 50.0) for name in candidates.scorers}
    rows = _rows(make, replace(candidates, percent_by_scorer=equal, labels=None), 5)
    require(rows.tolist() == [0, 1, 2, 3, 4], f"equal samples gave rows {rows.tolist()}")


def _names_rows(key: str, value: object, n: int) -> bool:
    """Tell whether what a key promises to be rows of n is that."""
    if not key.endswith(("_row", "_rows")):
        return True
    if key.endswith("_row") and value is None:
        return True
    rows = value if key.endswith("_rows") else [value]
    return isinstance(rows, list) and all(
        isinstance(one, (int, np.integer)) and not isinstance(one, bool) and 0 <= one < n
        for one in rows
    )


def _data(make: Make, data: Data | None, n: int = 50) -> ArrayPoolData:
    return make_pool_data(n, make().needs()) if data is None else data(n)


def _arrays(data: ArrayPoolData) -> dict[str, NDArray[Any]]:
    """Return every array of a pool by a name."""
    found: dict[str, NDArray[Any]] = {}
    for table in (data.percent_by_scorer, data.raw_by_scorer, data.spaces):
        found |= {f"{name} ({len(found)})": array for name, array in table.items()}
    found |= {f"groups {name}": groups.labels for name, groups in data.groupings.items()}
    return found if data.labels is None else found | {"labels": data.labels}


def _rows(make: Make, data: ArrayPoolData, size: int, seed: int = 0) -> NDArray[np.int64]:
    with opened(make) as selector:
        return np.asarray(selector.choose(make_pool(data, selector.needs(), size=size, seed=seed)))


def _require_valid(rows: NDArray[np.int64], size: int, n: int) -> None:
    require(np.issubdtype(rows.dtype, np.integer), f"rows are {rows.dtype}, not integers")
    require(rows.shape == (size,), f"the shape is {rows.shape}, not ({size},)")
    require(len(np.unique(rows)) == size, "a row is selected twice")
    require(int(rows.min()) >= 0 and int(rows.max()) < n, f"rows outside 0..{n - 1}")
