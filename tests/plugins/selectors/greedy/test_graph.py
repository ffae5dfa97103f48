"""A similarity graph has the near pairs of the full matrix, from both sides, and the diagonal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.plugins.selectors.greedy.graph import similarity_graph
from ig4.plugins.selectors.greedy.similarity import Similarities

from .points import points


def dense(graph):
    made = np.zeros((graph.n, graph.n))
    for row in range(graph.n):
        columns, values = graph.row(row)
        assert (np.diff(columns) > 0).all()
        made[row, columns] = values
    return made


@pytest.mark.parametrize("kind", ["cosine", "cosine-squared", "correlation-squared"])
@given(vectors=points(), k=st.integers(1, 5))
@settings(max_examples=25)
def test_it_is_the_full_matrix_where_one_of_two_is_a_neighbour(kind, vectors, k):
    if kind == "correlation-squared" and vectors.shape[1] < 3:
        return
    n = len(vectors)
    found = exact_neighbours(normalised(vectors), min(k, n - 1))
    joined = np.eye(n, dtype=bool)
    joined[np.repeat(np.arange(n), found.indices.shape[1]), found.indices.ravel()] = True
    full = Similarities(vectors, kind).rows(np.arange(n))
    expected = np.where(joined | joined.T, full, 0)
    assert np.allclose(dense(similarity_graph(found, vectors, kind)), expected, atol=1e-5)


def test_with_all_neighbours_euclidean_similarities_are_the_full_ones():
    vectors = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    found = exact_neighbours(normalised(vectors), 19)
    full = Similarities(vectors, "euclidean").rows(np.arange(20))
    assert np.allclose(dense(similarity_graph(found, vectors, "euclidean")), full, atol=1e-5)


def test_one_row_is_alike_to_itself_alone():
    one = np.ones((1, 3), dtype=np.float32)
    graph = similarity_graph(exact_neighbours(normalised(one), 1), one, "cosine")
    assert dense(graph).tolist() == [[1.0]]
