"""Intervals and tests agree with scipy, and keep what they promise on simulated data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.statistics.comparison import compare, interval, mean_interval


def test_the_interval_is_scipys_bootstrap():
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).gamma(2.0, size=80)
    found = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert interval(list(values)) == pytest.approx((found.low, found.high), abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("draw", [
    lambda rng: rng.integers(0, 2, 100).astype(float), lambda rng: rng.gamma(2.0, 0.25, 100),
])  # fmt: skip
def test_intervals_cover_the_true_mean_as_often_as_they_say(draw):
    rng = np.random.default_rng(0)
    ends = [interval(list(draw(rng)), seed) for seed in range(200)]
    covered = sum(low <= 0.5 <= high for low, high in ends) / len(ends)
    assert 0.90 <= covered <= 0.99  # 95 %, within three standard errors of 200 trials


@pytest.mark.parametrize(("right", "of"), [(0, 8), (8, 8), (1, 3), (70, 100)])
def test_the_interval_of_right_answers_is_scipys_wilson(right, of):
    stats = pytest.importorskip("scipy.stats")
    found = stats.binomtest(right, of).proportion_ci(0.95, method="wilson")
    ends = mean_interval([1.0] * right + [0.0] * (of - right))
    assert ends == pytest.approx((found.low, found.high), abs=1e-9)


def test_of_other_values_the_interval_is_the_bootstraps():
    assert mean_interval([0.2, 0.5, 0.9]) == interval([0.2, 0.5, 0.9])


def test_wilsons_covers_rare_right_answers():
    rng = np.random.default_rng(6)
    ends = [mean_interval(list((rng.random(30) < 0.05).astype(float))) for _ in range(1000)]
    assert 0.93 <= sum(low <= 0.05 <= high for low, high in ends) / 1000 <= 1


def test_p_is_seldom_small_where_nothing_differs():
    rng = np.random.default_rng(4)
    small = sum(
        compare(list(a), list(b)).p < 0.05
        for a, b in (rng.integers(0, 2, (2, 200)).astype(float) for _ in range(100))
    )
    assert small <= 12


def test_a_difference_of_right_answers_is_mcnemars():
    found = compare([0, 0, 1, 1, 0], [1, 1, 1, 0, 1])
    assert (found.better, found.worse, found.equal, found.test) == (3, 1, 1, "McNemar's exact test")
    assert found.difference == pytest.approx(0.4)
    assert compare([0.2], [0.3]).test == "sign test"


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 5))
def test_an_interval_lies_within_the_values(values, seed):
    low, high = interval(values, seed)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_comparing_the_other_way_round_turns_the_sign(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = compare(first, second), compare(second, first)
    assert there.difference == pytest.approx(-back.difference, abs=1e-12)
    assert (there.better, there.p) == (back.worse, back.p)
    assert 0 < there.p <= 1


def test_no_values_have_no_interval():
    assert all(math.isnan(end) for end in interval([]))
