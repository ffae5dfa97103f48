"""Leverage against the singular value decomposition of the whole matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.scorers.pool import leverage
from ig4.plugins.scorers.pool.leverage import Leverage, LeverageOptions


def score(rows, **options):
    scorer = Leverage(LeverageOptions(**options))
    data = ArrayPoolData(len(rows), spaces={"clip": rows})
    return scorer.score_pool(make_pool(data, scorer.needs()))


def spread_out(n, d, seed):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) * 2.0 ** -np.arange(d) + rng.normal(size=d)).astype(np.float32)


def naive(rows, energy):
    centred = rows.astype(np.float64) - rows.astype(np.float64).mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    k = next(k for k in range(1, len(s) + 1) if (s[:k] ** 2).sum() >= energy * (s**2).sum())
    return (u[:, :k] ** 2).sum(axis=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 30), st.integers(1, 6), st.integers(0, 99), st.sampled_from([0.5, 0.9]))
def test_it_is_that_of_the_kept_left_singular_vectors(n, d, seed, energy):
    rows = spread_out(n, d, seed)
    assert score(rows, energy=energy) == pytest.approx(naive(rows, energy), abs=1e-6)


def test_fewer_samples_than_dimensions_are_no_trouble():
    rows = spread_out(4, 10, 0)
    assert score(rows) == pytest.approx(naive(rows, 0.9), abs=1e-6)


def test_blocks_give_what_one_block_gives(monkeypatch):
    rows = spread_out(50, 5, 1)
    whole = score(rows)
    monkeypatch.setattr(leverage, "_BLOCK", 35)
    assert score(rows) == pytest.approx(whole, abs=1e-12)


def test_samples_without_spread_have_0():
    assert score(np.ones((5, 3), dtype=np.float32)).tolist() == [0] * 5


def test_all_of_the_variance_gives_as_much_as_there_are_directions():
    assert score(spread_out(40, 5, 2), energy=1.0).sum() == pytest.approx(5)


def test_an_outlier_has_the_most():
    rows = spread_out(40, 5, 3)
    rows[7] = 30.0
    assert score(rows).argmax() == 7
