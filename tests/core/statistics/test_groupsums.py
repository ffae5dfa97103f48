"""Sums of groups of rows, whatever lies between the blocks that they are read in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.core.statistics import groupsums
from ig4.core.statistics.groupsums import group_sums


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groupsums, "_BLOCK", 7)
        yield


@given(st.lists(st.integers(0, 4), max_size=30))
def test_each_row_counts_for_its_group_once(groups):
    rows = np.arange(3 * len(groups), dtype=np.float32).reshape(len(groups), 3) - 10
    found = group_sums(rows, np.array(groups, dtype=np.int64), 5)
    wanted = [rows[[one == group for one in groups]].sum(axis=0) for group in range(5)]
    assert found.dtype == np.float64
    assert np.allclose(found, wanted)


def test_rows_may_be_prepared():
    rows = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]], dtype=np.float32)
    assert np.allclose(group_sums(rows, np.array([0, 0, 1]), 2, normalised), [[0.6, 1.8], [0, 0]])
