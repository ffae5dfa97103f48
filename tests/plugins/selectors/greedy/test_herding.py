"""Herding takes the row that leaves the least squared MMD."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ig4.plugins.selectors.greedy.herding import HerdingKernel, herding

from .points import greedy_faults, points_and_size, same_rows


def kernel_matrix(vectors, name, width):
    wide = vectors.astype(np.float64)
    if name == "linear":
        return wide @ wide.T
    apart = np.linalg.norm(wide[:, None] - wide[None], axis=2)
    return np.exp(-(apart**2) / (2 * width**2))


@pytest.mark.parametrize("name", ["gaussian", "linear"])
@given(given_=points_and_size(), width=st.floats(0.3, 3))
@settings(max_examples=30)
def test_each_row_leaves_the_least_discrepancy(name, given_, width):
    vectors, size = given_
    full = kernel_matrix(vectors, name, width)
    picks = herding(HerdingKernel(vectors, name, width), size, np.arange(len(vectors)))

    def worth(taken):
        """Squared MMD, pair by pair, without what all rows share."""
        tried = [np.append(taken, row) for row in range(len(full))]
        return -np.array([full[np.ix_(y, y)].mean() - 2 * full[:, y].mean() for y in tried])

    assert greedy_faults(picks.rows, worth, same_rows(vectors), 1e-4) == []
    assert np.isclose(picks.gains[-1], worth(picks.rows[:-1])[picks.rows[-1]], atol=1e-4)


def test_the_selection_is_spread_as_the_pool_is():
    rng = np.random.default_rng(0)
    sizes = (120, 60, 20)
    parts = [rng.normal(scale=0.2, size=(n, 3)) + 4 * np.eye(3)[i] for i, n in enumerate(sizes)]
    vectors = np.concatenate(parts).astype(np.float32)
    rows = herding(HerdingKernel(vectors, "gaussian", 1.0), 20, np.arange(200)).rows
    kinds = np.bincount(np.repeat([0, 1, 2], sizes)[rows], minlength=3)
    assert np.abs(kinds - np.array([12, 6, 2])).max() <= 1


def test_few_reference_rows_stand_for_the_pool():
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    reference = np.arange(0, 50, 5)
    kernel = HerdingKernel(vectors, "gaussian", 1.0)
    expected = kernel_matrix(vectors, "gaussian", 1.0)[:, reference].mean(axis=1)
    assert np.allclose(kernel.means(reference), expected, atol=1e-6)
