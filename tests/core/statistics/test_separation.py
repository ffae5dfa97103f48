"""Areas under the ROC are those of Mann and Whitney, and their intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.statistics.separation import paired_area

PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=30)


def columns(pairs):
    return np.array([p[0] for p in pairs], dtype=float), np.array([p[1] for p in pairs], float)


@given(PAIRS)
def test_the_area_is_the_share_of_all_comparisons_won_ties_half(pairs):
    first, second = columns(pairs)
    won = sum((a > b) + 0.5 * (a == b) for a in first for b in second)
    found = paired_area(first, second)
    assert found.area == pytest.approx(won / len(pairs) ** 2)
    assert 0.0 <= found.low <= found.area <= found.high <= 1.0
    assert found.pairs == len(pairs)


def test_the_area_is_scipys_mann_whitney():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(2)
    first, second = rng.normal(0.5, 1, 120).round(1), rng.normal(0, 1, 120).round(1)
    expected = stats.mannwhitneyu(first, second).statistic / 120**2
    assert paired_area(first, second).area == pytest.approx(expected)


@given(PAIRS)
def test_the_other_way_round_it_is_the_rest(pairs):
    first, second = columns(pairs)
    there, back = paired_area(first, second), paired_area(second, first)
    assert there.area == pytest.approx(1 - back.area)
    assert there.low == pytest.approx(1 - back.high)


@pytest.mark.parametrize("together", [0.0, 0.9])
def test_the_interval_is_that_of_a_bootstrap_of_whole_pairs(together):
    rng = np.random.default_rng(4)
    shared = rng.normal(0, 1, 300) * together
    first = shared + rng.normal(0.4, 1, 300)
    second = shared + rng.normal(0, 1, 300)
    areas = []
    for _ in range(400):
        rows = rng.integers(0, 300, 300)
        areas.append(paired_area(first[rows], second[rows]).area)
    found = paired_area(first, second)
    half = 1.96 * np.std(areas)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)


def test_what_overlaps_nowhere_has_an_interval_all_the_same():
    found = paired_area(np.arange(20.0) + 100, np.arange(20.0))
    assert (found.area, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(20 / (20 + 1.959964**2))
    assert paired_area(np.arange(20.0), np.arange(20.0) + 100).high == pytest.approx(1 - found.low)


@settings(max_examples=30)
@given(PAIRS, st.randoms())
def test_the_order_of_pairs_says_nothing(pairs, random):
    mixed = list(pairs)
    random.shuffle(mixed)
    one, other = paired_area(*columns(pairs)), paired_area(*columns(mixed))
    assert (one.area, one.low) == (pytest.approx(other.area), pytest.approx(other.low))


def test_one_pair_is_none():
    with pytest.raises(ValueError, match="no pairs"):
        paired_area(np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="no pairs"):
        paired_area(np.ones(3), np.ones(2))
