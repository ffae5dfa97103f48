"""How several scores make one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.engine.selecting.combining import combined

PERCENT = np.array([[90.0, 10.0], [50.0, 60.0], [20.0, 80.0], [0.0, 100.0]])
EQUAL = np.array([0.5, 0.5])


def order(how, weights=EQUAL, size=2):
    return np.argsort(-combined(PERCENT, np.asarray(weights), how, size), kind="stable").tolist()


def test_a_sum_is_the_papers():
    assert combined(PERCENT, EQUAL, "sum", 2).tolist() == [50, 55, 50, 50]


def test_a_product_wants_all_scores_to_be_good():
    made = combined(PERCENT, np.array([1.0, 1.0]), "product", 2)
    assert made == pytest.approx([9.0, 30.0, 16.0, 0.0])
    assert combined(np.array([[-5.0, 50.0]]), EQUAL, "product", 1).tolist() == [0]


def test_a_weight_below_zero_turns_a_product_around():
    assert order("product", (1.0, -1.0))[0] == 0
    assert np.isfinite(combined(PERCENT, np.array([-1.0, 1.0]), "product", 2)).all()


def test_mean_ranks_do_not_see_how_far_scores_are_apart():
    stretched = PERCENT * [1.0, 1000.0]
    assert np.array_equal(
        combined(stretched, EQUAL, "mean-rank", 2), combined(PERCENT, EQUAL, "mean-rank", 2)
    )


def test_votes_are_of_scorers_that_have_a_sample_among_their_best():
    votes = np.floor(combined(PERCENT, np.array([1.0, 1.0]), "vote", 2))
    assert votes.tolist() == [1, 1, 1, 1]
    votes = np.floor(combined(PERCENT, np.array([2.0, 1.0]), "vote", 1))
    assert votes.tolist() == [2, 0, 0, 1]


def test_equal_votes_are_decided_by_the_sum():
    assert order("vote", (1.0, 1.0))[0] == 1


def test_the_least_counts_of_what_has_a_weight():
    assert combined(PERCENT, EQUAL, "min", 2).tolist() == [10, 50, 20, 0]
    assert combined(PERCENT, np.array([1.0, 0.0]), "min", 2).tolist() == [90, 50, 20, 0]


@pytest.mark.parametrize("how", ["sum", "product", "mean-rank", "vote", "min"])
def test_without_scores_all_are_equal(how):
    assert np.unique(combined(np.empty((3, 0)), np.empty(0), how, 2)).size == 1


@given(
    st.sampled_from(["sum", "product", "mean-rank", "vote", "min"]),
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=12),
)
def test_a_sample_that_is_better_in_all_scores_is_never_behind(how, rows):
    percent = np.array(rows)
    final = combined(percent, EQUAL, how, 1 + len(rows) // 3)
    for one in range(len(rows)):
        for other in range(len(rows)):
            if (percent[one] >= percent[other]).all():
                assert final[one] >= final[other] - 1e-9
