"""Verdicts of both orders, and what they come to: checked against scipy, and for coverage."""

from __future__ import annotations

import itertools

import pytest

from ig4.core.contracts.evaluation import Verdict
from ig4.core.statistics.verdicts import (
    JudgedPair,
    outcome,
    position_bias,
    relative,
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


def test_the_papers_own_figure_is_not_far_from_significant():
    assert 0.05 < sign_test(29, 16) < 0.1  # 29 win, 15 tie, 16 fail of 60


def test_equal_seeds_give_equal_intervals_and_other_seeds_others():
    pairs = [pair(*sides) for sides in itertools.product(SCORES, repeat=2)] * 3
    assert tally(pairs, seed=1) == tally(pairs, seed=1)
    assert tally(pairs, seed=1).relative_ci != tally(pairs, seed=2).relative_ci
