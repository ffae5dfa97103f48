"""Paired comparisons are those of scipy, and cover at their stated rate."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.statistics.paired import compare, permutation, quantile, upper

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize("df", [1, 2, 4, 9, 30, 400])
def test_students_t_is_that_of_scipy(df):
    for t in np.linspace(-12, 12, 49):
        assert upper(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-9, abs=1e-13)
    for p in (0.001, 0.025, 0.5, 0.9, 0.975, 0.9999):
        assert quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 12])
def test_the_paired_t_test_and_its_interval_are_those_of_scipy(n):
    rng = np.random.default_rng(n)
    first, second = rng.normal(0.3, 1, n), rng.normal(0, 1, n)
    found = compare(first, second)
    for side, name in (("greater", "greater"), ("less", "less"), ("both", "two-sided")):
        told = stats.ttest_rel(first, second, alternative=name)
        assert found.t == pytest.approx(told.statistic)
        assert getattr(found.student, side) == pytest.approx(told.pvalue)
    interval = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("n", [2, 5, 9])
def test_the_permutation_test_is_scipys_exact_one(n):
    rng = np.random.default_rng(n)
    first, second = rng.normal(0.5, 1, n), rng.normal(0, 1, n)
    found = compare(first, second).permutation
    for side, name in (("greater", "greater"), ("less", "less"), ("both", "two-sided")):
        told = stats.permutation_test(
            (first, second), lambda a, b, axis: np.mean(a - b, axis=axis),
            permutation_type="samples", vectorized=True, alternative=name, n_resamples=np.inf,
        )  # fmt: skip
        assert getattr(found, side) == pytest.approx(told.pvalue)


def test_equal_differences_are_ties_however_they_are_rounded():
    found = permutation([0.1, 0.2, 0.3])
    assert found.greater == 1 / 8
    assert permutation([0.1, -0.1]).both == 1.0


def test_many_pairs_are_drawn_and_never_give_zero():
    found = permutation(np.ones(40))
    assert 0 < found.greater < 1e-4
    assert permutation(np.ones(40)) == found


def test_differences_without_spread_have_no_t():
    found = compare([1.1, 2.1, 3.1], [1.0, 2.0, 3.0])
    assert (found.t, found.student) == (None, None)
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert found.permutation.greater == 1 / 8


def test_a_single_pair_has_a_difference_and_nothing_else():
    found = compare([2.0], [1.5])
    assert (found.difference, found.low, found.student) == (0.5, None, None)
    with pytest.raises(ValueError, match="no pairs"):
        compare([], [])


@pytest.mark.slow
def test_intervals_cover_at_their_rate_and_p_values_err_at_theirs():
    rng = np.random.default_rng(0)
    draws = [compare(rng.normal(0.5, 1, 5), rng.normal(0, 2, 5)) for _ in range(2000)]
    covered = np.mean([one.low <= 0.5 <= one.high for one in draws])
    assert covered == pytest.approx(0.95, abs=0.015)
    none = [compare(rng.normal(0, 1, 5), rng.normal(0, 1, 5)) for _ in range(2000)]
    assert np.mean([one.student.greater < 0.05 for one in none]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([one.permutation.greater < 0.05 for one in none]) == pytest.approx(
        1 / 32, abs=0.015
    )
