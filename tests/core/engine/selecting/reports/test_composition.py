"""The mix of a selection beside that of its pool, and groups that stand apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts import Groups
from ig4.core.engine.selecting.reports.composition import broken_levels, composition, group_levels
from ig4.core.engine.selecting.reports.effective import differ_in_order, effective_weights
from ig4.core.statistics.shares import eta_squared, expected_variation, total_variation


def groups(*labels, names=("a", "b", "c")):
    return Groups(names, np.array(labels, dtype=np.int64))


def test_shares_are_told_of_pool_and_selection_the_largest_group_first():
    made = composition("form", groups(*[0] * 2 + [1] * 6 + [2] * 2), np.array([0, 2, 3, 4]))
    assert [(one.name, one.pool, one.selected) for one in made.groups] == [
        ("b", 6, 3),
        ("a", 2, 1),
        ("c", 2, 0),
    ]
    assert made.groups[0].pool_share == 0.6
    assert made.tv == pytest.approx((0.15 + 0.05 + 0.2) / 2)
    assert made.leaves_mix


def test_the_same_mix_leaves_nothing():
    labels = np.tile([0, 1, 2], 30)
    made = composition("form", groups(*labels.tolist()), np.arange(30))
    assert (made.tv, made.missing, made.leaves_mix) == (0.0, (), False)


def test_a_group_of_which_five_were_expected_and_none_came_is_missed():
    labels = [0] * 950 + [1] * 50
    made = composition("form", groups(*labels), np.arange(100))
    assert made.missing == ("b",)
    assert made.tv == pytest.approx(0.05)
    assert made.leaves_mix
    assert composition("form", groups(*labels), np.arange(99)).missing == ()  # 4.95 expected


def test_a_sample_of_several_groups_counts_in_each():
    members = (np.array([0, 2, 3]), np.array([0, 1, 1]))
    made = composition("tags", Groups(("x", "y"), np.array([0, 1]), members), np.array([0]))
    assert [(one.name, one.pool, one.selected) for one in made.groups] == [
        ("y", 2, 1),
        ("x", 1, 1),
    ]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.data())
def test_total_variation_is_a_distance_of_shares(counts, data):
    pool = np.array(counts)
    other = np.array(
        data.draw(st.lists(st.integers(0, 50), min_size=len(counts), max_size=len(counts)))
    )
    tv = total_variation(pool, other)
    assert 0 <= tv <= 1
    assert tv == total_variation(other, pool)
    assert total_variation(pool, pool * 3) == pytest.approx(0)


def test_what_a_random_draw_has_is_about_what_draws_have():
    counts = np.array([500, 300, 150, 50])
    labels = np.repeat(np.arange(4), counts)
    rng = np.random.default_rng(0)
    drawn = [
        total_variation(counts, np.bincount(rng.choice(labels, 60, replace=False), minlength=4))
        for _ in range(400)
    ]
    assert expected_variation(counts, 60) == pytest.approx(np.mean(drawn), rel=0.08)
    assert expected_variation(counts, 1000) == 0


def test_eta_squared_is_the_share_of_variance_between_groups():
    labels = np.array([0, 0, 1, 1])
    assert eta_squared(np.array([1.0, 1.0, 5.0, 5.0]), labels) == pytest.approx(1)
    assert eta_squared(np.array([1.0, 5.0, 1.0, 5.0]), labels) == pytest.approx(0)
    assert eta_squared(np.ones(4), labels) == 0
    values = np.array([1.0, 3.0, 4.0, 8.0])
    assert eta_squared(values, labels) == pytest.approx(16 / 26)


def test_a_group_whose_scores_are_low_stands_out():
    labels = np.repeat([0, 1], [60, 40])
    percent = np.column_stack([np.where(labels == 1, 10.0, 60.0), np.tile([1.0, 2.0], 50)])
    (low,) = group_levels(("clip", "length"), percent, groups(*labels.tolist()))
    assert (low.group, low.scorer, low.mean, low.pool_mean) == ("b", "clip", 10.0, 40.0)
    assert low.deviations == pytest.approx(-30 / percent[:, 0].std())


def test_a_group_that_is_broken_stands_out_however_large_it_is():
    percent = np.repeat([0.0, 100.0, 100.0], [80, 20, 100])  # of the first half 80 % are broken
    groups = Groups(("cut", "whole"), np.repeat([0, 1], 100))
    (found,) = broken_levels("ending", percent, groups)
    assert (found.group, found.mean, found.pool_mean) == ("cut", 20.0, 60.0)
    assert -1 < found.deviations < -0.5  # no deviation apart
    assert group_levels(("ending",), percent[:, None], groups) == ()
    percent = np.full(200, 100.0)
    percent[:5] = 0  # a few anywhere
    assert broken_levels("ending", percent, groups) == ()
    assert broken_levels("ending", np.full(200, np.nan), groups) == ()


def test_small_groups_and_single_groups_do_not_stand_out():
    labels = np.repeat([0, 1], [90, 10])
    percent = np.where(labels == 1, 0.0, 100.0)[:, None]
    assert group_levels(("clip",), percent, groups(*labels.tolist())) == ()
    assert group_levels(("clip",), percent, groups(*[0] * 100)) == ()


def test_an_effective_weight_is_the_weight_times_the_spread():
    rng = np.random.default_rng(1)
    percent = np.column_stack([rng.normal(50, 2, 500), rng.normal(50, 20, 500)])
    weights = np.array([0.8, 0.2])
    worth = effective_weights(("clip", "gpt"), percent, weights, percent @ weights)
    assert worth["clip"].effective == pytest.approx(0.8 * percent[:, 0].std())
    assert worth["gpt"].share > 0.6
    assert worth["gpt"].correlation > worth["clip"].correlation > 0
    assert differ_in_order(worth)


def test_weights_in_the_order_of_their_worth_differ_in_nothing():
    percent = np.random.default_rng(1).uniform(0, 100, (500, 2))
    for weights in ([0.7, 0.3], [0.5, 0.5]):
        array = np.array(weights)
        assert not differ_in_order(effective_weights(("a", "b"), percent, array, percent @ array))


def test_a_score_that_does_not_vary_is_worth_nothing():
    percent = np.column_stack([np.full(10, 50.0), np.arange(10.0)])
    worth = effective_weights(("a", "b"), percent, np.array([0.9, 0.1]), percent[:, 1])
    assert (worth["a"].share, worth["a"].correlation) == (0, None)
