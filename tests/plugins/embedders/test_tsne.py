"""`tsne` keeps neighbours, gives the same map twice, and takes what other maps cannot."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.contracts import Pool
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import ArrayPoolData

pytest.importorskip("openTSNE")

HOST = Host.discover()


def lay_out(vectors, **options):
    made = HOST.build(Choice("embedder", "ig4/tsne", {"iterations": 100, **options}))
    vectors = np.asarray(vectors, dtype=np.float32)
    data = ArrayPoolData(n=len(vectors), spaces={"clip": vectors})
    return made.embed_pool(Pool(data, size=1, seed=0, needs=made.needs(), reader="tsne"))


@pytest.fixture(scope="module")
def bundles():
    """90 vectors in three bundles, of which one lacks a vector and two are equal."""
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(3, 16), 30, axis=0) + rng.normal(scale=0.05, size=(90, 16))
    vectors[4] = np.nan
    vectors[11] = vectors[10]
    return vectors


@pytest.fixture(scope="module")
def layout(bundles):
    return lay_out(bundles)


def test_neighbours_are_of_the_same_bundle(layout):
    rows = np.delete(np.arange(90), 4)
    distances = np.linalg.norm(layout[rows, None] - layout[None, rows], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = rows[np.argsort(distances, axis=1)[:, :5]]
    assert (nearest // 30 == (rows // 30)[:, None]).mean() > 0.99


def test_it_is_the_same_twice_and_another_one_with_another_seed(bundles, layout):
    np.testing.assert_array_equal(lay_out(bundles), layout)
    assert layout.dtype == np.float32


def test_samples_without_a_vector_have_no_place_and_equal_ones_the_same(layout):
    assert np.isnan(layout[4]).all()
    assert np.isnan(layout).any(axis=1).sum() == 1
    np.testing.assert_array_equal(layout[10], layout[11])


def test_of_too_few_different_vectors_there_is_no_map(bundles):
    with pytest.raises(
        UsageError, match="needs 10 different vectors in the space clip, which has 9"
    ):
        lay_out(np.repeat(bundles[20:29], 4, axis=0))
    assert lay_out(bundles[20:30]).shape == (10, 2)


def test_of_one_vector_the_map_is_one_place(bundles):
    np.testing.assert_array_equal(lay_out(bundles[[20, 20, 4]])[:2], np.zeros((2, 2)))
