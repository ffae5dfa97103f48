"""Overlap beside chance: the hypergeometric mean and deviation, against counting all draws."""

from __future__ import annotations

from itertools import combinations
from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.engine.comparing.overlap import expected_overlap, overlap_of


def keys(*values):
    return np.array(values, dtype=np.int64)


def test_what_two_selections_share():
    found = overlap_of(keys(5, 3, 9, 1), keys(3, 1, 7), keys(1, 3, 5, 7, 9), keys(1, 3, 7, 8))
    assert (found.common, found.union, found.share_a, found.share_b) == (2, 5, 0.5, 2 / 3)
    assert found.jaccard == 0.4
    assert (found.candidates_a, found.candidates_b, found.candidates_both) == (5, 4, 3)
    assert found.spearman is found.kendall is None  # two samples have no order to speak of


def test_ranks_are_compared_over_what_both_have():
    a, b = keys(1, 2, 3, 4, 9), keys(4, 3, 2, 1, 8)
    found = overlap_of(a, b, np.arange(10), np.arange(10))
    assert (found.spearman, found.kendall) == (-1, -1)
    same = overlap_of(a, a, np.arange(10), np.arange(10))
    assert (same.spearman, same.kendall, same.jaccard) == (1, 1, 1)


def test_nothing_shared_and_nothing_selected():
    none = overlap_of(keys(), keys(1), keys(), keys(1, 2))
    assert (none.common, none.share_a, none.jaccard, none.expected, none.deviation) == (0,) * 5


@pytest.mark.parametrize(("n", "a", "b"), [(3439, 200, 200), (10, 3, 9), (5, 5, 2), (1, 1, 1)])
def test_in_one_pool_chance_is_hypergeometric(n, a, b):
    mean = a * b / n
    squares = sum(
        k * k * comb(a, k) * comb(n - a, b - k) for k in range(max(0, a + b - n), min(a, b) + 1)
    ) / comb(n, b)
    found = expected_overlap(a, b, n, n, n)
    assert found == pytest.approx((mean, sqrt(max(0, squares - mean * mean))), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_in_two_pools_chance_is_the_mean_over_all_draws(data):
    first = set(range(data.draw(st.integers(1, 6))))
    shift = data.draw(st.integers(0, 6))
    second = {one + shift for one in range(data.draw(st.integers(1, 6)))}
    a, b = (data.draw(st.integers(0, len(pool))) for pool in (first, second))
    sizes = [
        len(set(one) & set(other))
        for one in combinations(first, a)
        for other in combinations(second, b)
    ]
    found = expected_overlap(a, b, len(first), len(second), len(first & second))
    assert found == pytest.approx((np.mean(sizes), np.std(sizes)), abs=1e-6)
