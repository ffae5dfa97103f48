"""SemDeDup compares each row with those before it in its cluster."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.core.contracts.pool import normalised
from ig4.plugins.selectors.greedy.semanticduplicates import duplicate_scores

from .points import points


@pytest.mark.parametrize("keep", ["hard", "easy"])
@given(vectors=points(), seed=st.integers(0, 99))
@settings(max_examples=40)
def test_nearness_is_the_greatest_cosine_to_a_row_before(keep, vectors, seed):
    unit = normalised(vectors)
    clusters = np.random.default_rng(seed).integers(-1, 3, len(unit))
    made = duplicate_scores(unit, clusters, keep, np.random.default_rng(0))
    wide = unit.astype(np.float64)
    for cluster in range(3):
        rows = np.flatnonzero(clusters == cluster)
        centroid = wide[rows].mean(axis=0) if len(rows) else np.zeros(unit.shape[1])
        alike = np.round(wide[rows] @ (centroid / (np.linalg.norm(centroid) or 1)), 6)
        order = rows[np.lexsort((rows, alike if keep == "hard" else -alike))]
        for place, row in enumerate(order.tolist()):
            before = order[:place]
            expected = (wide[before] @ wide[row]).max() if place else -np.inf
            assert np.isclose(made.nearness[row], expected, atol=2e-6)
            assert made.nearest[row] == -1 if not place else made.nearest[row] in before
    assert np.isneginf(made.nearness[clusters == -1]).all()


def test_of_equal_rows_the_first_stays():
    unit = normalised(np.ones((6, 3), dtype=np.float32))
    for keep in ("hard", "easy"):
        made = duplicate_scores(unit, np.zeros(6, dtype=np.int64), keep, np.random.default_rng(0))
        assert made.nearness.tolist() == [-np.inf, 1, 1, 1, 1, 1]


def test_a_random_order_depends_on_the_seed_alone():
    unit = normalised(np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32))
    clusters = np.zeros(30, dtype=np.int64)
    seeds = [np.random.default_rng(seed) for seed in (0, 0, 1)]
    a, b, c = (duplicate_scores(unit, clusters, "random", rng).nearness for rng in seeds)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
