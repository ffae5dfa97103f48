"""Bins: round edges that hold every value."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ig4.core.charts.bins import counts, round_edges

VALUES = st.lists(st.floats(-1e9, 1e9), max_size=50)


@given(VALUES, st.integers(1, 60))
@example([0.1 + 0.2, 0.3], 10)
@example([1e9, 1e9 - 1e-7], 30)
def test_every_value_is_in_one_bin(values, bins):
    array = np.array(values, dtype=np.float64)
    edges = round_edges(array, bins)
    assert counts(array, edges).sum() == len(values)
    assert (np.diff(edges) > 0).all()


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=60), st.integers(1, 40))
def test_counts_are_those_that_one_counts_by_hand(values, bins):
    array = np.array(values, dtype=np.float64)
    edges = round_edges(array, bins)
    naive = [0] * (len(edges) - 1)
    for value in values:
        for n in range(len(naive)):
            is_last = n == len(naive) - 1
            if edges[n] <= value < edges[n + 1] or (is_last and value == edges[n + 1]):
                naive[n] += 1
    assert counts(array, edges).tolist() == naive
    assert len(naive) <= bins + 2


def test_edges_are_round_numbers():
    assert round_edges(np.array([3.0, 97.0]), 10).tolist() == [*range(0, 101, 10)]
    assert round_edges(np.array([0.12, 0.87]), 8) == pytest.approx(np.arange(1, 10) / 10)


def test_a_value_that_is_over_an_edge_by_rounding_gets_no_bin_of_its_own():
    values = np.array([0.0, 50.0, 100.00000000000001])
    edges = round_edges(values, 10)
    assert edges[-1] == 100
    assert counts(values, edges).sum() == 3


@pytest.mark.parametrize("value", [0.0, 5.0, -2.5, 1e-12, 1e12])
def test_equal_values_have_one_bin(value):
    edges = round_edges(np.full(4, value), 30)
    assert len(edges) == 2
    assert edges[0] <= value <= edges[1]
    assert counts(np.full(4, value), edges).tolist() == [4]


def test_values_that_are_not_finite_count_nowhere():
    values = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert counts(values, round_edges(values, 5)).sum() == 1
    assert round_edges(np.array([np.nan]), 5).tolist() == []
    assert counts(np.array([np.nan]), np.empty(0)).tolist() == []
