"""Similarities are the published formulas, stored or computed again."""

import numpy as np
import pytest
from hypothesis import given, settings

from ig4.plugins.selectors.greedy.similarity import Similarities

from .points import points

KINDS = ("cosine", "cosine-squared", "correlation-squared", "euclidean")


def naive(vectors, kind):
    """Pair by pair, by the formula."""
    n = len(vectors)
    made = np.zeros((n, n))
    for i, a in enumerate(vectors.astype(np.float64)):
        for j, b in enumerate(vectors.astype(np.float64)):
            if kind == "euclidean":
                made[i, j] = np.linalg.norm(a - b)
                continue
            if kind == "correlation-squared":
                a, b = a - a.mean(), b - b.mean()
            lengths = np.linalg.norm(a) * np.linalg.norm(b)
            cosine = a @ b / lengths if lengths > 0 else 0.0
            made[i, j] = max(0.0, cosine) if kind == "cosine" else cosine**2
    return made.max() - made if kind == "euclidean" else made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored", [0, 100])
@given(vectors=points())
@settings(max_examples=25)
def test_each_pair_is_as_alike_as_the_formula_says(kind, stored, vectors):
    if kind == "correlation-squared" and vectors.shape[1] < 3:
        return  # what is left of one or two numbers less their mean has no direction of its own
    made = Similarities(vectors, kind, stored)
    rows = np.arange(len(vectors))
    assert np.allclose(made.rows(rows), naive(vectors, kind), atol=3e-6)
    assert np.allclose(made.rows(rows[:1]), naive(vectors, kind)[:1], atol=3e-6)
    assert np.allclose(made.diagonal(), np.diag(naive(vectors, kind)), atol=3e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored", [0, 1000])
def test_equal_rows_have_equal_similarities(kind, stored):
    vectors = np.random.default_rng(0).normal(size=(70, 33)).astype(np.float32)
    made = Similarities(np.concatenate([vectors, vectors]), kind, stored)
    firsts = made.firsts(np.arange(140))
    assert firsts.tolist() == [*range(70), *range(70)]
    block = made.rows(np.arange(140))
    assert np.array_equal(block[:, :70], block[:, 70:])
    assert np.array_equal(made.sums()[:70], made.sums()[70:])
    if stored:
        assert np.array_equal(block[:70], block[70:])
