"""Graph cut takes the best row at each step, and is near the best subset while it is monotone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.plugins.selectors.greedy.graph import similarity_graph
from ig4.plugins.selectors.greedy.graphcut import dense_graph_cut, sparse_graph_cut
from ig4.plugins.selectors.greedy.similarity import Similarities

from .points import best_subset, greedy_faults, points_and_size, same_rows


def value(matrix, rows, redundancy):
    return matrix[:, rows].sum() - redundancy * matrix[np.ix_(rows, rows)].sum()


@pytest.mark.parametrize("kind", ["cosine", "euclidean"])
@given(given_=points_and_size(), redundancy=st.floats(0.05, 2))
@settings(max_examples=30)
def test_each_row_is_the_one_that_adds_most(kind, given_, redundancy):
    vectors, size = given_
    similarities = Similarities(vectors, kind)
    matrix = similarities.rows(np.arange(len(vectors))).astype(np.float64)
    picks = dense_graph_cut(similarities, size, redundancy)

    def worth(taken):
        before = value(matrix, taken, redundancy)
        with_each = [value(matrix, np.append(taken, row), redundancy) for row in range(len(matrix))]
        return np.array(with_each) - before

    assert greedy_faults(picks.rows, worth, same_rows(vectors), 1e-4) == []
    assert np.isclose(picks.gains.sum(), value(matrix, picks.rows, redundancy), atol=1e-4)


@given(given_=points_and_size(least=4, most=8))
@settings(max_examples=30)
def test_it_is_near_the_best_subset_while_more_rows_never_hurt(given_):
    vectors, size = given_
    similarities = Similarities(vectors, "cosine")
    matrix = similarities.rows(np.arange(len(vectors))).astype(np.float64)
    picks = dense_graph_cut(similarities, size, 0.5)
    best = best_subset(len(vectors), size, lambda rows: value(matrix, rows, 0.5))
    assert value(matrix, picks.rows, 0.5) >= (1 - 1 / np.e) * best - 1e-6


def test_a_graph_of_all_pairs_gives_the_same_as_all_pairs():
    vectors = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    graph = similarity_graph(exact_neighbours(normalised(vectors), 59), vectors, "cosine")
    dense = dense_graph_cut(Similarities(vectors, "cosine"), 20, 1.0)
    sparse = sparse_graph_cut(graph, 20, 1.0)
    assert dense.rows.tolist() == sparse.rows.tolist()
    assert np.allclose(dense.gains, sparse.gains, atol=1e-4)
