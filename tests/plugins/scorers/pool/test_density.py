"""Density against all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.scorers.pool.density import Density, DensityOptions


def score(rows, **options):
    scorer = Density(DensityOptions(**options))
    data = ArrayPoolData(len(rows), spaces={"clip": rows})
    return scorer.score_pool(make_pool(data, scorer.needs()))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 15), st.integers(1, 6), st.integers(0, 99))
def test_it_is_that_of_the_k_nearest_others(n, k, seed):
    rows = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.sort(
        [[unit[i] @ unit[j] for j in range(n) if j != i] for i in range(n)], axis=1
    )[:, ::-1][:, :k]  # fmt: skip
    assert score(rows, k=k) == pytest.approx(cosines.mean(axis=1), abs=1e-5)
    far = np.sqrt(2 - 2 * cosines[:, -1])
    assert score(rows, k=k, measure="distance") == pytest.approx(far, abs=1e-3)


def test_one_sample_alone_has_none():
    assert np.isnan(score(np.ones((1, 3), dtype=np.float32))).all()


def test_a_sample_in_a_crowd_is_denser_than_one_apart():
    rows = np.array([[1, 0], [1, 0.01], [1, -0.01], [0, 1]], dtype=np.float32)
    values = score(rows, k=2)
    assert values.argmin() == 3
    assert score(rows, k=2, measure="distance").argmax() == 3


def test_percent():
    values = np.array([-0.5, 0.25, 1.0])
    assert Density(DensityOptions()).to_percent(values).tolist() == [0, 25, 100]
    far = Density(DensityOptions(measure="distance"))
    assert far.to_percent(np.array([0.0, 1.0, 2.0])).tolist() == [0, 50, 100]
