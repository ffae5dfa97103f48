"""Verdicts of both orders, and what they come to: checked against scipy, and for coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ig4.core.evaluation import Verdict
from ig4.core.verdicts import (
    JudgedPair,
    interval,
    outcome,
    position_bias,
    relative,
    resampled_means,
    sign_test,
    summarise,
    tally,
)

SCORES = {"first": (9.0, 5.0), "tie": (7.0, 7.0), "second": (4.0, 8.0)}


def pair(given, swapped, category=""):
    """A pair whose two orders were won by these answers."""
    return JudgedPair(category, Verdict(*SCORES[given]), Verdict(*SCORES[swapped]))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("first", "first", "win"),
        ("first", "tie", "win"),
        ("tie", "first", "win"),
        ("tie", "tie", "tie"),
        ("first", "second", "tie"),
        ("second", "first", "tie"),
        ("second", "second", "fail"),
        ("second", "tie", "fail"),
        ("tie", "second", "fail"),
    ],
)
def test_every_pair_of_verdicts_comes_to_what_the_paper_says(one, other, expected):
    assert outcome(one, other) == expected
    assert pair(one, other).outcome == expected


def test_outcomes_are_counted_overall_and_by_category():
    pairs = [
        pair("first", "first", "conv"),
        pair("first", "second", "conv"),
        pair("second", "tie", "detail"),
    ]
    told = summarise(pairs, failed=2)
    assert (told.overall.n, told.overall.win, told.overall.tie, told.overall.fail) == (3, 1, 1, 1)
    assert list(told.categories) == ["conv", "detail"]
    assert (told.categories["conv"].win, told.categories["conv"].tie) == (1, 1)
    assert told.categories["detail"].fail == 1
    assert told.failed == 2
    assert told.overall.win_rate == pytest.approx(1 / 3)


def test_without_pairs_there_is_nothing_to_tell():
    told = summarise([], failed=3)
    assert (told.overall.n, told.overall.win_rate, told.overall.relative) == (0, None, None)
    assert (told.categories, told.position_bias, told.failed) == ({}, None, 3)


def test_the_relative_score_is_the_mean_of_the_second_in_percent_of_the_mean_of_the_first():
    told = relative([(8.0, 4.0), (10.0, 8.0), (6.0, 6.0)])
    assert told.relative == pytest.approx(100 * 18 / 24)
    assert (told.n, told.first_mean, told.second_mean) == (3, 8.0, 6.0)
    assert relative([(0.0, 5.0)]).relative is None


def test_a_pairs_scores_are_the_means_of_both_orders():
    told = tally([JudgedPair("", Verdict(8.0, 4.0), Verdict(6.0, 10.0))])
    assert (told.first_mean, told.second_mean) == (7.0, 7.0)
    assert told.relative == pytest.approx(100.0)


def test_position_bias_is_told_apart_from_preference():
    always_first = [pair("first", "second")] * 4
    assert position_bias(always_first).flips == 1.0
    assert position_bias(always_first).first_shown == 1.0
    assert position_bias([pair("second", "first")] * 4).second_shown == 1.0
    steady = position_bias([pair("first", "first"), pair("tie", "tie")])
    assert (steady.flips, steady.first_shown, steady.second_shown) == (0.0, 0.0, 0.0)
    mixed = position_bias([pair("first", "tie"), pair("first", "first")])
    assert (mixed.flips, mixed.first_shown) == (0.5, 0.0)


def test_the_sign_test_is_scipys_exact_binomial_test():
    stats = pytest.importorskip("scipy.stats")
    for wins, fails in itertools.product([0, 1, 2, 7, 16, 29, 60], repeat=2):
        if wins + fails:
            expected = stats.binomtest(wins, wins + fails, 0.5).pvalue
            assert sign_test(wins, fails) == pytest.approx(expected, rel=1e-12)
    assert sign_test(5200, 4800) == pytest.approx(stats.binomtest(5200, 10_000).pvalue, rel=1e-9)
    assert sign_test(0, 0) == 1.0


def test_the_papers_own_figure_is_not_far_from_significant():
    assert 0.05 < sign_test(29, 16) < 0.1  # 29 win, 15 tie, 16 fail of 60


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


def test_equal_seeds_give_equal_intervals_and_other_seeds_others():
    pairs = [pair(*sides) for sides in itertools.product(SCORES, repeat=2)] * 3
    assert tally(pairs, seed=1) == tally(pairs, seed=1)
    assert tally(pairs, seed=1).relative_ci != tally(pairs, seed=2).relative_ci


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
