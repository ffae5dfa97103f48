"""Checks for pool scorers."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Needs, PoolScorer
from ig4.core.testing.check import Check, checks_from, opened, require, untouched_random_state
from ig4.core.testing.component import component_checks
from ig4.core.testing.pool import ArrayPoolData, make_pool, make_pool_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

Make = Callable[[], PoolScorer]
Data = Callable[[int], ArrayPoolData]


def pool_scorer_checks(
    make: Make, *, data: Data | None = None, tolerance: float = 1e-6
) -> list[Check]:
    """Return the checks of a pool scorer, on generated pools.

    `data` makes the values of a pool of n rows, where random ones will not do. `tolerance` is how
    far values of pools in another order may differ, as a share of their spread.
    """
    return (
        component_checks(make)
        + checks_from(
            check_needs_are_declared_alike,
            check_gives_one_value_for_each_row,
            check_is_deterministic,
            check_rates_the_same_after_pickling,
            check_leaves_global_random_state_alone,
            given=(make, data),
        )
        + checks_from(
            check_another_order_gives_the_same_values,
            check_equal_samples_get_equal_values,
            check_one_row_is_a_pool,
            check_percents_are_finite,
            given=(make, data, tolerance),
        )
    )


def check_needs_are_declared_alike(make: Make, data: Data | None) -> None:
    """`needs` depends on the options alone, and can be a part of a fingerprint."""
    first, second = make().needs(), make().needs()
    require(isinstance(first, Needs), f"needs() returned {type(first).__name__}, not Needs")
    require(first == second, "equal options need different things")


def check_gives_one_value_for_each_row(make: Make, data: Data | None) -> None:
    """Values are (n,) float64; what cannot be rated is NaN, nothing is infinite."""
    values = _values(make, _data(make, data))
    require(values.shape == (50,), f"the shape is {values.shape}, not (50,)")
    require(values.dtype == np.float64, f"the dtype is {values.dtype}, not float64")
    require(not np.isinf(values).any(), "a value is infinite")
    require(not np.isnan(values).all(), "no row has a value")


def check_is_deterministic(make: Make, data: Data | None) -> None:
    """Equal pools give equal values, from another instance too."""
    first, second = _values(make, _data(make, data)), _values(make, _data(make, data))
    require(np.array_equal(first, second, equal_nan=True), "equal pools gave different values")


def check_rates_the_same_after_pickling(make: Make, data: Data | None) -> None:
    """A pool scorer that was sent to another process gives the same values."""
    pickled = pickle.dumps(make())
    again = _values(lambda: pickle.loads(pickled), _data(make, data))  # noqa: S301 - our own bytes
    require(
        np.array_equal(_values(make, _data(make, data)), again, equal_nan=True),
        "pickling changed the values",
    )


def check_leaves_global_random_state_alone(make: Make, data: Data | None) -> None:
    """Random numbers come from the seed alone."""
    candidates = _data(make, data)
    with untouched_random_state():
        _values(make, candidates)


def check_another_order_gives_the_same_values(
    make: Make, data: Data | None, tolerance: float
) -> None:
    """Rows in another order have their values in that order."""
    candidates = _data(make, data)
    order = np.random.default_rng(5).permutation(50)
    _require_close(
        _values(make, candidates)[order], _values(make, candidates.take(order)), tolerance,
        "the order of the rows changes their values",
    )  # fmt: skip


def check_equal_samples_get_equal_values(make: Make, data: Data | None, tolerance: float) -> None:
    """A sample that is there twice has one value twice."""
    twice = np.concatenate([np.arange(50), [7]])
    values = _values(make, _data(make, data).take(twice))
    _require_close(
        values[7:8], values[50:], tolerance, "two equal samples have different values", values
    )


def check_one_row_is_a_pool(make: Make, data: Data | None, tolerance: float) -> None:
    """One sample alone is rated, or is NaN; it is no error."""
    values = _values(make, _data(make, data).take(np.array([3])))
    require(values.shape == (1,), f"one row gave values of shape {values.shape}")
    require(not np.isinf(values).any(), "one row alone has an infinite value")


def check_percents_are_finite(make: Make, data: Data | None, tolerance: float) -> None:
    """`to_percent` works without `open`, on values of any pool."""
    values = _values(make, _data(make, data))
    known = values[~np.isnan(values)]
    percent = make().to_percent(known.copy())
    require(percent.shape == known.shape, f"to_percent returned shape {percent.shape}")
    require(bool(np.isfinite(percent).all()), "a percent is not finite")


def _data(make: Make, data: Data | None, n: int = 50) -> ArrayPoolData:
    return make_pool_data(n, make().needs()) if data is None else data(n)


def _values(make: Make, data: ArrayPoolData) -> NDArray[np.float64]:
    with opened(make) as scorer:
        return np.asarray(scorer.score_pool(make_pool(data, scorer.needs())))


def _require_close(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    tolerance: float,
    message: str,
    all_values: NDArray[np.float64] | None = None,
) -> None:
    known = first if all_values is None else all_values
    spread = float(np.nanmax(known) - np.nanmin(known)) if not np.isnan(known).all() else 0.0
    same = np.allclose(first, second, rtol=0, atol=tolerance * max(spread, 1e-9), equal_nan=True)
    require(bool(same), message)
