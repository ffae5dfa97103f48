"""`pca` against a plain singular value decomposition."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.contracts import Pool
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import ArrayPoolData
from ig4.plugins.embedders import pca as module

HOST = Host.discover()


def project(vectors, **options):
    """Give vectors (n, d) to the embedder as the space `clip`."""
    made = HOST.build(Choice("embedder", "ig4/pca", options))
    vectors = np.asarray(vectors, dtype=np.float32)
    data = ArrayPoolData(n=len(vectors), spaces={"clip": vectors})
    return made.embed_pool(Pool(data, size=1, seed=0, needs=made.needs(), reader="pca"))


def by_svd(vectors, dims):
    """The same by another road: the singular vectors of the centred unit vectors."""
    wide = np.asarray(vectors, dtype=np.float64)
    unit = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-300)
    centred = unit - unit.mean(axis=0)
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    directions = rows[:dims].T
    largest = np.abs(directions).argmax(axis=0)
    directions *= np.sign(directions[largest, np.arange(directions.shape[1])])
    return centred @ directions


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 20)) * np.linspace(3, 0.1, 20) + 1


@pytest.mark.parametrize("dims", [1, 2, 5])
def test_it_is_the_principal_components(points, dims):
    found = project(points, dims=dims)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_svd(points, dims), atol=1e-5)


def test_blocks_make_no_difference(points, monkeypatch):
    whole = project(points)
    monkeypatch.setattr(module, "_BLOCK", 7)
    np.testing.assert_allclose(project(points), whole, atol=1e-6)


def test_samples_without_a_vector_have_no_place_and_change_nothing(points):
    gaps = points.copy()
    gaps[[3, 50, 299]] = np.nan
    found = project(gaps)
    assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == [3, 50, 299]
    rest = np.delete(np.arange(300), [3, 50, 299])
    np.testing.assert_allclose(found[rest], by_svd(points[rest], 2), atol=1e-5)


def test_lengths_do_not_count(points):
    longer = points * np.random.default_rng(1).uniform(0.1, 9, size=(300, 1))
    np.testing.assert_allclose(project(longer), project(points), atol=1e-5)


@pytest.mark.parametrize(
    "vectors", [[[1.0, 2.0, 3.0]], [[0.0, 0.0]] * 4, [[5.0]] * 3, [[1.0, 1.0]] * 9]
)
def test_where_nothing_differs_all_lie_in_one_place(vectors):
    found = project(vectors)
    assert found.shape == (len(vectors), 2)
    np.testing.assert_allclose(found, 0, atol=1e-6)
