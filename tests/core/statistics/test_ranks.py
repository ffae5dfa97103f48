"""Ranks and their correlation are scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ig4.core.statistics.ranks import mid_ranks, rank_correlation

stats = pytest.importorskip("scipy.stats")

VALUES = st.lists(st.integers(-4, 4), min_size=1, max_size=40).map(np.asarray)


@given(VALUES)
def test_equal_values_share_their_mean_rank(values):
    np.testing.assert_allclose(mid_ranks(values.astype(float)), stats.rankdata(values))


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=3, max_size=40))
def test_the_correlation_is_spearmans(pairs):
    first, second = np.array(pairs, dtype=float).T
    found = rank_correlation(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)


def test_two_rows_have_no_correlation_worth_telling():
    assert rank_correlation(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
