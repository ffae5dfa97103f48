"""What stays of the best when the pool is drawn anew: much of many, little of ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.statistics.topshare import top_stability


def naive(values, share, resamples, seed):
    """Draw pools as lists of rows, sort them, and take the first."""
    n, rng = len(values), np.random.default_rng(seed)
    k = max(1, round(share * n))
    best = set(sorted(range(n), key=lambda row: (-values[row], row))[:k])
    kept = []
    for _ in range(resamples):
        drawn = rng.integers(0, n, size=n).tolist()
        key = rng.random(n)
        taken = set(sorted(drawn, key=lambda row: (-values[row], key[row]))[:k])
        kept.append(len(taken & best) / len(taken))
    return float(np.mean(kept))


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=25),
    st.floats(0.01, 1.0),
    st.integers(0, 100),
)
def test_it_is_what_sorting_each_drawn_pool_gives(values, share, seed):
    found = top_stability(np.array(values, dtype=float), share, resamples=7, seed=seed)
    assert found.mean == pytest.approx(naive(values, share, 7, seed))
    assert 0.0 <= found.low <= 1.0


def test_a_score_that_tells_all_apart_keeps_nearly_all_of_its_best():
    found = top_stability(np.arange(3439.0), 0.06)
    assert (found.rows, found.size, found.tied) == (3439, 206, 1)
    assert found.mean > 0.93


def test_a_score_with_few_values_leaves_its_best_to_chance():
    found = top_stability(np.r_[np.ones(900), np.zeros(100)], 0.06)
    assert found.tied == 900
    assert found.mean < 0.15


def test_of_one_row_nothing_can_be_said():
    assert top_stability(np.ones(1), 0.06) is None
