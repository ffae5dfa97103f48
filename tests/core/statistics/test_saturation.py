"""A column's spread: how many values differ, how many are equal or at an end."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.statistics.saturation import saturation


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_counts_are_those_of_a_counter(values):
    found = saturation(np.array(values, dtype=float))
    counts = Counter(values)
    assert found.distinct == len(counts)
    assert found.equal == pytest.approx(max(counts.values()) / len(values))
    assert found.at_least == pytest.approx(counts[min(values)] / len(values))
    assert found.at_most == pytest.approx(counts[max(values)] / len(values))
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert found.mean == pytest.approx(np.mean(values))
    assert found.deviation == pytest.approx(np.std(values))


def test_huge_values_do_not_overflow():
    found = saturation(np.array([1e300, -1e300, 1e300]))
    assert found.mean == pytest.approx(1e300 / 3)
    assert np.isfinite(found.deviation)


def test_equal_values_have_no_spread_and_no_values_are_nothing():
    assert saturation(np.full(7, 0.1)).deviation == 0.0
    assert saturation(np.empty(0)) is None
