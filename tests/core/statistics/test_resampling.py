"""The bootstrap and the sign test agree with scipy's, and intervals hold what they promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ig4.core.statistics.resampling import interval, resampled_means, sign_test


def test_the_sign_test_is_scipys_exact_binomial_test():
    stats = pytest.importorskip("scipy.stats")
    for wins, fails in itertools.product([0, 1, 2, 7, 16, 29, 60], repeat=2):
        if wins + fails:
            expected = stats.binomtest(wins, wins + fails, 0.5).pvalue
            assert sign_test(wins, fails) == pytest.approx(expected, rel=1e-12)
    assert sign_test(5200, 4800) == pytest.approx(stats.binomtest(5200, 10_000).pvalue, rel=1e-9)
    assert sign_test(0, 0) == 1.0


def test_intervals_are_scipys_percentile_bootstrap():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    values = np.column_stack([rng.normal(8, 1, 80), rng.normal(6, 2, 80)])
    means = resampled_means(values, resamples=20_000, seed=1)
    expected = stats.bootstrap(
        (values[:, 0], values[:, 1]),
        lambda a, b, axis: b.mean(axis=axis) / a.mean(axis=axis),
        paired=True, vectorized=True, method="percentile", n_resamples=20_000, rng=rng,
    ).confidence_interval  # fmt: skip
    low, high = interval(means[:, 1] / means[:, 0])
    assert low == pytest.approx(expected.low, abs=0.005)
    assert high == pytest.approx(expected.high, abs=0.005)


def test_few_different_rows_are_drawn_by_their_counts_alike():
    rng = np.random.default_rng(5)
    values = rng.integers(0, 2, (200, 2)).astype(float)
    many = values + rng.normal(0, 1e-9, values.shape)  # no two rows are equal
    few_means, means = (resampled_means(one, resamples=20_000) for one in (values, many))
    assert np.cov(few_means.T) == pytest.approx(np.cov(means.T), rel=0.05, abs=2e-5)
    assert few_means.mean(axis=0) == pytest.approx(values.mean(axis=0), abs=1e-3)


def test_many_pairs_are_drawn_in_pieces_of_the_same_distribution():
    values = np.random.default_rng(0).normal(size=(300_000, 1))
    means = resampled_means(values, resamples=60)
    assert means.shape == (60, 1)
    assert means.std() == pytest.approx(values.std() / math.sqrt(300_000), rel=0.4)


def test_intervals_cover_the_truth_at_their_stated_rate():
    """400 experiments of 60 pairs: the interval of 95 % holds the truth in about 95 % of them."""
    rng = np.random.default_rng(11)
    truth_rate, truth_relative = 0.45, 100 * 6.0 / 8.0
    held = np.zeros(2)
    for n in range(400):
        wins = rng.random(60) < truth_rate
        quality = rng.normal(0, 1, 60)  # what both answers of a pair share
        first = 8 + quality + rng.normal(0, 0.7, 60)
        second = 6 + quality + rng.normal(0, 1.2, 60)
        means = resampled_means(np.column_stack([wins, first, second]), resamples=600, seed=n)
        rate = interval(means[:, 0])
        ratio = interval(100 * means[:, 2] / means[:, 1])
        held += (rate[0] <= truth_rate <= rate[1], ratio[0] <= truth_relative <= ratio[1])
    assert np.all(np.abs(held / 400 - 0.95) < 0.03), held / 400
