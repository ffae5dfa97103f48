"""The index faiss reaches the recall that was asked for, on easy and on hard vectors."""

from __future__ import annotations

import numpy as np
import pytest

from ig4.core.contracts.pool import normalised
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.plugins.indexes.faiss import _attempts

pytest.importorskip("faiss")


def clustered(n=3000, d=32):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, d))
    spread = rng.normal(scale=0.3, size=(n, d))
    return normalised((centres[rng.integers(0, 40, n)] + spread).astype(np.float32))


def shapeless(n=3000, d=32):
    return normalised(np.random.default_rng(0).normal(size=(n, d)).astype(np.float32))


def find(vectors, k=10, seed=0, **options):
    index = Host.discover().build(Choice("index", "faiss", {"exact_below": 0, **options}))
    return index.neighbours(vectors, k, seed)


def recall(found, vectors, k=10):
    true = exact_neighbours(vectors, k).indices.tolist()
    pairs = zip(true, found.indices.tolist(), strict=True)
    return sum(len({*a} & {*b}) for a, b in pairs) / (len(vectors) * k)


KINDS = {
    "clustered": clustered(),
    "clustered, long": clustered(d=101),
    "shapeless": shapeless(),
    "shapeless, long": shapeless(d=96),
}


@pytest.mark.parametrize("vectors", KINDS.values(), ids=KINDS)
def test_it_finds_as_many_as_asked_for(vectors):
    # The share is measured on 256 of the rows, so that of all may be a little less.
    assert recall(find(vectors), vectors) >= 0.94


def test_more_recall_finds_more():
    vectors = shapeless()
    assert recall(find(vectors, recall=1.0), vectors) > recall(find(vectors, recall=0.5), vectors)
    assert recall(find(vectors, recall=1.0), vectors) > 0.99


@pytest.mark.parametrize("vectors", KINDS.values(), ids=KINDS)
def test_neighbours_are_in_order_with_their_cosines_and_the_row_is_not_its_own(vectors):
    found = find(vectors)
    assert (np.diff(found.similarity, axis=1) <= 0).all()
    cosines = np.einsum("nkd,nd->nk", vectors[found.indices], vectors)
    assert np.allclose(found.similarity, cosines, atol=1e-5)
    assert (found.indices != np.arange(len(vectors))[:, None]).all()
    assert all(len(set(row)) == 10 for row in found.indices.tolist())


def test_equal_vectors_give_equal_neighbours():
    # Odd numbers of dimensions are filled up.
    for vectors in (shapeless(d=33), clustered(d=67)):
        first, second = find(vectors), find(vectors)
        assert np.array_equal(first.indices, second.indices)
        assert np.array_equal(first.similarity, second.similarity)


def test_many_equal_rows_are_no_trouble():
    vectors = np.repeat(clustered(30), 100, axis=0)
    found = find(vectors)
    assert np.allclose(found.similarity, 1, atol=1e-5)


def test_few_rows_are_searched_exactly():
    vectors = shapeless(500)
    found = find(vectors, exact_below=501)
    true = exact_neighbours(vectors, 10)
    assert np.array_equal(found.indices, true.indices)


def test_long_vectors_are_not_copied_but_for_codes():
    """Of a million vectors a copy would fill the memory, and they may be mapped from a file."""
    vectors = clustered(d=256)
    kinds = set()
    for attempt in _attempts(vectors, 10, 0):
        assert attempt.index.sa_code_size() <= vectors.shape[1] // 4 + 8  # a float32 has 4
        kinds.add(type(attempt.index).__name__)
    assert kinds == {"IndexIVFPQFastScan", "IndexPQFastScan"}
