"""Facility location takes what the plain greedy algorithm takes, and near the best there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.core.statistics.neighbours import exact_neighbours
from ig4.plugins.selectors.greedy.facilitylocation import (
    DenseCoverage,
    SparseCoverage,
    facility_location,
    stochastic_facility_location,
)
from ig4.plugins.selectors.greedy.graph import similarity_graph
from ig4.plugins.selectors.greedy.similarity import Similarities

from .points import best_subset, points_and_size

KINDS = ("cosine", "cosine-squared", "correlation-squared", "euclidean")


def naive(matrix, size, quality=None, alpha=0.0):
    """Every candidate at every step; ties to the lower row by argmax."""
    best = np.zeros(len(matrix), dtype=matrix.dtype)
    left, rows, values = np.ones(len(matrix), dtype=bool), [], []
    top = matrix.sum(axis=1, dtype=np.float64).max() or 1.0
    for _ in range(size):
        gains = np.maximum(matrix - best, 0).sum(axis=1, dtype=np.float64)
        worth = gains if quality is None else (1 - alpha) * (gains / top) + alpha * quality
        row = int(np.argmax(np.where(left, worth, -np.inf)))
        rows.append(row)
        values.append(worth[row])
        left[row] = False
        best = np.maximum(best, matrix[row])
    return rows, values


def value(matrix, rows):
    return matrix[:, rows].max(axis=1).sum()


@pytest.mark.parametrize("kind", KINDS)
@given(given_=points_and_size())
@settings(max_examples=30)
def test_it_takes_what_the_plain_greedy_algorithm_takes(kind, given_):
    vectors, size = given_
    similarities = Similarities(vectors, kind)
    picks = facility_location(DenseCoverage(similarities), size)
    rows, gains = naive(similarities.rows(np.arange(len(vectors))), size)
    assert picks.rows.tolist() == rows
    assert np.allclose(picks.gains, gains)


@given(given_=points_and_size(), alpha=st.floats(0.05, 1), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_with_quality_too(given_, alpha, seed):
    vectors, size = given_
    quality = np.random.default_rng(seed).integers(0, 3, len(vectors)) / 2
    similarities = Similarities(vectors, "cosine")
    picks = facility_location(DenseCoverage(similarities), size, quality, alpha)
    rows, gains = naive(similarities.rows(np.arange(len(vectors))), size, quality, alpha)
    assert picks.rows.tolist() == rows
    assert np.allclose(picks.gains, gains)


@given(given_=points_and_size(), k=st.integers(1, 5))
@settings(max_examples=50)
def test_on_a_graph_it_takes_what_the_graph_as_a_matrix_gives(given_, k):
    vectors, size = given_
    found = exact_neighbours(normalised(vectors), min(k, len(vectors) - 1))
    graph = similarity_graph(found, vectors, "cosine")
    matrix = np.zeros((graph.n, graph.n), dtype=np.float32)
    for row in range(graph.n):
        columns, values = graph.row(row)
        matrix[row, columns] = values
    picks = facility_location(SparseCoverage(graph), size)
    # The rows may part where gains are equal: few numbers are summed in another order than many.
    assert np.allclose(picks.gains, naive(matrix, size)[1], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@given(given_=points_and_size(least=4, most=8))
@settings(max_examples=20)
def test_it_is_near_the_best_subset_there_is(kind, given_):
    vectors, size = given_
    similarities = Similarities(vectors, kind)
    matrix = similarities.rows(np.arange(len(vectors))).astype(np.float64)
    picks = facility_location(DenseCoverage(similarities), size)
    best = best_subset(len(vectors), size, lambda rows: value(matrix, rows))
    assert value(matrix, picks.rows) >= (1 - 1 / np.e) * best - 1e-6
    assert np.isclose(picks.gains.sum(), value(matrix, picks.rows), atol=1e-4)


def test_similarities_computed_again_are_worth_as_much_as_stored_ones():
    vectors = np.random.default_rng(1).normal(size=(300, 16)).astype(np.float32)
    vectors[150:] = vectors[:150]
    stored = facility_location(DenseCoverage(Similarities(vectors, "cosine")), 60)
    again = facility_location(DenseCoverage(Similarities(vectors, "cosine", 0)), 60)
    assert np.allclose(stored.gains, again.gains, atol=1e-4)
    assert stored.rows[:30].tolist() == again.rows[:30].tolist()
    assert max(*stored.rows, *again.rows) < 150  # of equal rows the first


def test_a_stochastic_choice_of_all_candidates_is_the_greedy_one():
    vectors = np.random.default_rng(2).normal(size=(60, 8)).astype(np.float32)
    similarities = Similarities(vectors, "cosine")
    drawn = stochastic_facility_location(
        DenseCoverage(similarities), 20, np.random.default_rng(0), epsilon=1e-30
    )
    assert drawn.rows.tolist() == facility_location(DenseCoverage(similarities), 20).rows.tolist()


def test_a_stochastic_choice_reaches_what_it_promises():
    vectors = np.random.default_rng(3).normal(size=(400, 8)).astype(np.float32)
    similarities = Similarities(vectors, "cosine")
    matrix = similarities.rows(np.arange(400))
    greedy = facility_location(DenseCoverage(similarities), 30)
    drawn = [
        stochastic_facility_location(
            DenseCoverage(similarities), 30, np.random.default_rng(seed), epsilon=0.1
        )
        for seed in range(5)
    ]
    reached = [value(matrix, picks.rows) / value(matrix, greedy.rows) for picks in drawn]
    assert 0.95 < np.mean(reached) < 1
    assert drawn[0].rows.tolist() != drawn[1].rows.tolist()
