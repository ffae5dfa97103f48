"""DEITA's filter keeps a row that is like none of the better kept ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.plugins.selectors.greedy import repetitionfilter
from ig4.plugins.selectors.greedy.repetitionfilter import repetition_filter

from .points import points_and_size


def naive(unit, order, size, threshold):
    """One row after the other; each against all that are kept; with more room when it ends."""
    cosines = np.round((unit @ unit.T).astype(np.float64), 6)
    kept, left = [], list(order)
    while len(kept) < size:
        out = []
        for row in left:
            if len(kept) < size and all(cosines[row, other] <= threshold for other in kept):
                kept.append(row)
            else:
                out.append(row)
        left = out
        if len(kept) < size:
            least = min(max(cosines[row, other] for other in kept) for row in left)
            threshold = max(threshold + 0.02, least)
    return kept


@given(given_=points_and_size(most=20), threshold=st.floats(-1, 1), seed=st.integers(0, 99))
def test_it_keeps_what_a_walk_row_by_row_keeps(given_, threshold, seed):
    vectors, size = given_
    unit = normalised(vectors).astype(np.float64)  # float32 rounds by the shape of a block
    order = np.random.default_rng(seed).permutation(len(unit))
    found = repetition_filter(unit, order, size, threshold)
    assert found.rows.tolist() == naive(unit, order.tolist(), size, threshold)


def test_blocks_change_nothing(monkeypatch):
    unit = normalised(np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32))
    order = np.random.default_rng(1).permutation(200)
    at_once = repetition_filter(unit, order, 150, 0.8)
    monkeypatch.setattr(repetitionfilter, "_BLOCK", 7)
    monkeypatch.setattr(repetitionfilter, "_KEPT_BLOCK", 5)
    in_blocks = repetition_filter(unit, order, 150, 0.8)
    assert at_once.rows.tolist() == in_blocks.rows.tolist() == naive(unit, order.tolist(), 150, 0.8)
    assert np.allclose(at_once.threshold, in_blocks.threshold, equal_nan=True)


@pytest.mark.parametrize("size", [1, 3, 6])
def test_equal_rows_fill_up_when_nothing_else_is_left(size):
    unit = normalised(np.ones((6, 3), dtype=np.float32))
    found = repetition_filter(unit, np.arange(6), size, 0.9)
    assert found.rows.tolist() == list(range(size))
    assert found.threshold[0] == 0.9
    assert size == 1 or found.threshold[1] == 1.0
