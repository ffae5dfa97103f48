"""Checks for selectors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ig4.core.contracts import Selector
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], Selector]


class CandidateTable(NamedTuple):
    """The arrays that a selector gets, beside size and seed."""

    percent: NDArray[np.float64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]


def selector_checks(make: Make, *, by_score: bool = True) -> list[Check]:
    """Return the checks of a selector, on generated tables.

    `by_score=False` leaves out the checks that hold only where scores decide: better rows first,
    and ties to the lower row.
    """
    checks = component_checks(make) + checks_from(
        check_gives_as_many_distinct_rows_as_asked,
        check_is_deterministic,
        check_selects_the_same_after_pickling,
        check_leaves_its_input_alone,
        check_leaves_global_random_state_alone,
        check_one_scorer,
        check_clusters_of_very_different_size,
        check_labels_with_gaps,
        given=(make,),
    )
    if by_score:
        checks += checks_from(
            check_better_samples_come_first, check_ties_go_to_the_lower_row, given=(make,)
        )
    return checks


def table(n: int = 50, scorers: int = 3, clusters: int = 4, seed: int = 0) -> CandidateTable:
    """Return random percent scores, labels and weights; read-only arrays."""
    rng = np.random.default_rng(seed)
    candidates = CandidateTable(
        rng.uniform(0, 100, (n, scorers)),
        rng.integers(0, clusters, n),
        rng.dirichlet(np.ones(scorers)),
    )
    for array in candidates:
        array.flags.writeable = False
    return candidates


def check_gives_as_many_distinct_rows_as_asked(make: Make) -> None:
    """`size` row indices, none twice, all of them rows, whatever the size."""
    candidates = table()
    for size in (1, 7, 25, 49, 50):
        _require_valid(_rows(make, candidates, size), size, len(candidates.percent))


def check_is_deterministic(make: Make) -> None:
    """Equal input gives equal output, from another instance too."""
    for seed in (0, 7):
        first, second = _rows(make, table(), 20, seed), _rows(make, table(), 20, seed)
        require(np.array_equal(first, second), f"seed {seed} gave two different selections")


def check_selects_the_same_after_pickling(make: Make) -> None:
    """A selector that was sent to another process selects the same rows."""
    pickled = pickle.dumps(make())
    again = _rows(lambda: pickle.loads(pickled), table(), 20)  # noqa: S301 - our own bytes
    require(np.array_equal(_rows(make, table(), 20), again), "pickling changed the selection")


def check_leaves_its_input_alone(make: Make) -> None:
    """Scores, labels and weights must not change."""
    percent, labels, weights = table()
    candidates = CandidateTable(percent.copy(), labels.copy(), weights.copy())
    before = [array.copy() for array in candidates]
    _rows(make, candidates, 20)
    for name, old, new in zip(CandidateTable._fields, before, candidates, strict=True):
        require(np.array_equal(old, new), f"select changed {name}")


def check_leaves_global_random_state_alone(make: Make) -> None:
    """Random numbers come from the seed alone."""
    with untouched_random_state():
        _rows(make, table(), 20)


def check_one_scorer(make: Make) -> None:
    """A single column is enough."""
    _require_valid(_rows(make, table(scorers=1), 10), 10, 50)


def check_clusters_of_very_different_size(make: Make) -> None:
    """One giant cluster and some of one sample still give exactly `size` rows."""
    candidates = table()
    labels = np.where(np.arange(50) < 3, np.arange(50) + 1, 0)
    for size in (1, 2, 10, 48, 50):
        _require_valid(_rows(make, candidates._replace(labels=labels), size), size, 50)


def check_labels_with_gaps(make: Make) -> None:
    """Some cluster numbers may have no sample."""
    candidates = table(clusters=3)
    _require_valid(_rows(make, candidates._replace(labels=candidates.labels * 5), 20), 20, 50)


def check_better_samples_come_first(make: Make) -> None:
    """In one cluster and with one scorer, rows come by score, best first."""
    candidates = table(scorers=1)._replace(labels=np.zeros(50, dtype=np.int64))
    rows = _rows(make, candidates, 10)
    best = np.argsort(-candidates.percent[:, 0], kind="stable")[:10]
    require(np.array_equal(rows, best), f"rows {rows.tolist()}, not {best.tolist()}")


def check_ties_go_to_the_lower_row(make: Make) -> None:
    """Of equal samples the first ones are taken, in order."""
    candidates = table()._replace(
        percent=np.full((50, 3), 50.0), labels=np.zeros(50, dtype=np.int64)
    )
    rows = _rows(make, candidates, 5)
    require(rows.tolist() == [0, 1, 2, 3, 4], f"equal samples gave rows {rows.tolist()}")


def _rows(make: Make, candidates: CandidateTable, size: int, seed: int = 0) -> NDArray[np.int64]:
    with opened(make) as selector:
        return selector.select(
            candidates.percent, candidates.labels, size, candidates.weights, seed
        )


def _require_valid(rows: NDArray[np.int64], size: int, n: int) -> None:
    require(np.issubdtype(rows.dtype, np.integer), f"rows are {rows.dtype}, not integers")
    require(rows.shape == (size,), f"the shape is {rows.shape}, not ({size},)")
    require(len(np.unique(rows)) == size, "a row is selected twice")
    require(int(rows.min()) >= 0 and int(rows.max()) < n, f"rows outside 0..{n - 1}")
