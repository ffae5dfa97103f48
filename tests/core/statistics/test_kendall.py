"""Kendall's tau against counting all pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.statistics import ranks
from ig4.core.statistics.ranks import kendall_tau


def by_pairs(first, second):
    pairs = list(combinations(range(len(first)), 2))
    agree = [np.sign(first[i] - first[j]) * np.sign(second[i] - second[j]) for i, j in pairs]
    return sum(agree) / len(pairs)


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40).flatmap(lambda n: st.tuples(*[st.permutations(range(n))] * 2)))
def test_it_is_the_share_of_pairs_in_the_same_order(columns):
    first, second = (np.array(one, dtype=np.float64) for one in columns)
    before, ranks._BLOCK = ranks._BLOCK, 4  # so that few rows are already merged
    try:
        assert abs(kendall_tau(first, second) - by_pairs(first, second)) < 1e-12
    finally:
        ranks._BLOCK = before


def test_fewer_than_three_rows_have_none():
    assert kendall_tau(np.arange(2.0), np.arange(2.0)) is None


def test_many_rows_are_no_trouble():
    order = np.random.default_rng(0).permutation(50_000).astype(np.float64)
    assert abs(kendall_tau(np.arange(50_000.0), order)) < 0.02
    assert kendall_tau(order, -order) == -1
