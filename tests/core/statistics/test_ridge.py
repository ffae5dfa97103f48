"""Ridge regression: known effects come back, and what is left out is predicted as by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.statistics.ridge import (
    PENALTIES,
    chosen_penalty,
    coefficients,
    effect_intervals,
    fit_ridge,
    left_out_errors,
    predicted_r2,
    shuffle_p,
    standardised,
)

sizes = st.tuples(st.integers(5, 14), st.integers(1, 4), st.integers(0, 10_000))


def world(n, effects, noise, seed):
    """Values of indicators that hang together, and a result with known effects."""
    rng = np.random.default_rng(seed)
    x = rng.normal(50, 12, size=(n, len(effects)))
    x[:, 0] += 0.5 * (x[:, -1] - 50)
    return x, standardised(x) @ np.array(effects) + noise * rng.normal(size=n)


@given(sizes, st.sampled_from(PENALTIES))
@settings(max_examples=40)
def test_coefficients_are_the_minimum_of_what_they_minimise(size, penalty):
    n, m, seed = size
    x, y = world(n, [1.0] * m, 1.0, seed)
    z = standardised(x)
    found = coefficients(z, y, penalty)

    def loss(b):
        rest = y - y.mean() - (z - z.mean(axis=0)) @ b
        return rest @ rest + n * penalty * b @ b

    rng = np.random.default_rng(seed)
    for _ in range(5):
        assert loss(found) <= loss(found + rng.normal(size=m) * 0.01) + 1e-9


@given(sizes)
@settings(max_examples=40)
def test_errors_of_left_out_rows_are_those_of_fits_without_them(size):
    n, m, seed = size
    x, y = world(n, [1.0] * m, 1.0, seed)
    z = standardised(x)
    errors = left_out_errors(z, y)
    for number, penalty in list(enumerate(PENALTIES))[::7]:
        for row in range(n):
            others = np.arange(n) != row
            # The penalty is in units of all rows, so that of the others is a little larger.
            b = coefficients(z[others], y[others], penalty * n / (n - 1))
            predicted = y[others].mean() + (z[row] - z[others].mean(axis=0)) @ b
            assert errors[number, row] == pytest.approx(y[row] - predicted, abs=1e-8)


@given(sizes)
@settings(max_examples=15)
def test_several_outcomes_at_once_are_each_as_alone(size):
    n, m, seed = size
    x, y = world(n, [1.0] * m, 1.0, seed)
    z = standardised(x)
    both = left_out_errors(z, np.column_stack([y, y[::-1]]))
    assert np.allclose(both[:, :, 0], left_out_errors(z, y))
    assert np.allclose(both[:, :, 1], left_out_errors(z, y[::-1]))


def test_what_is_predicted_of_a_row_has_not_seen_it():
    x, y = world(12, [1.0, 0.5], 0.5, 1)
    errors, bases = [], []
    for row in range(len(y)):
        others = np.arange(len(y)) != row
        mean, spread = x[others].mean(axis=0), x[others].std(axis=0)
        z = (x[others] - mean) / spread
        b = coefficients(z, y[others], chosen_penalty(z, y[others]))
        errors.append(y[row] - y[others].mean() - (x[row] - mean) / spread @ b)
        bases.append(y[row] - y[others].mean())
    expected = 1 - np.square(errors).sum() / np.square(bases).sum()
    assert predicted_r2(x, y) == pytest.approx(expected)


def test_planted_effects_come_back_and_nothing_is_read_into_noise():
    x, y = world(60, [2.0, -1.0, 0.0], 0.5, 3)
    fit = fit_ridge(x, y)
    assert fit.coefficients == pytest.approx([2.0, -1.0, 0.0], abs=0.25)
    assert fit.predicted_r2 > 0.8
    assert fit.p < 0.01
    nothing = fit_ridge(x, np.random.default_rng(4).normal(size=60))
    assert nothing.predicted_r2 < 0.05
    assert nothing.p > 0.05


@pytest.mark.parametrize(("count", "noise"), [(40, 1.0), (40, 4.0), (12, 1.0)])
def test_intervals_hold_planted_effects_and_null_effects_nineteen_times_of_twenty(count, noise):
    effects = [1.0, -0.5, 0.0]
    inside = np.zeros(3)
    for seed in range(150):
        x, y = world(count, effects, noise, seed)
        _, found = effect_intervals(x, y, resamples=200, seed=seed)
        inside += (found[:, 0] <= effects) & (effects <= found[:, 1])
    assert (inside / 150 >= 0.9).all()
    assert inside.sum() / 450 < 0.99


def test_shuffles_tell_luck_as_often_as_they_say():
    lucky = 0
    for seed in range(200):
        x, _ = world(20, [0.0, 0.0], 1.0, seed)
        y = np.random.default_rng(seed + 1000).normal(size=20)
        lucky += shuffle_p(standardised(x), y, 99, seed) <= 0.05
    assert 2 <= lucky <= 22


def test_intervals_are_those_of_rows_drawn_with_replacement():
    x, y = world(15, [1.0, 0.0], 1.0, 7)
    z = standardised(x)
    times = np.random.default_rng(42).multinomial(15, np.full(15, 1 / 15), size=200)
    drawn = []
    for one in times:
        rows = np.repeat(np.arange(15), one)
        drawn.append(coefficients(z[rows], y[rows], 1e-6))
    effects, found = effect_intervals(x, y, resamples=200)
    ends = np.quantile(drawn, (0.025, 0.975), axis=0) - effects
    assert np.allclose(found.T, effects + ends * np.sqrt(15 / 12))


def test_a_column_without_spread_gets_no_coefficient_and_no_error():
    x, y = world(20, [1.0, 1.0], 0.1, 5)
    x[:, 1] = 7.0
    fit = fit_ridge(x, y)
    effects, found = effect_intervals(x, y, resamples=50)
    assert fit.coefficients[1] == effects[1] == 0
    assert np.isfinite(found).all()


def test_equal_input_gives_equal_output():
    x, y = world(20, [1.0, 1.0], 1.0, 6)
    first, second = effect_intervals(x, y, resamples=50), effect_intervals(x, y, resamples=50)
    assert np.array_equal(first[1], second[1])
    assert fit_ridge(x, y).p == fit_ridge(x, y).p
