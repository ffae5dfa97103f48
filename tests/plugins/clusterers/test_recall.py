"""Spectral clusters by the neighbours of an index that misses some are those by all neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from ig4.core.contracts.pool import normalised
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.statistics.neighbours import exact_neighbours

pytest.importorskip("faiss")

THEMES, LATENT, DIMENSIONS = 30, 24, 512


@pytest.fixture(scope="module")
def vectors():
    """20,000 vectors of themes that overlap, of few dimensions within the many that they have."""
    rng = np.random.default_rng(0)
    centres = 1.1 * rng.normal(size=(THEMES, LATENT))
    shares = np.arange(1, THEMES + 1) ** -0.7
    basis = rng.normal(size=(LATENT, DIMENSIONS))
    own = rng.choice(THEMES, 20_000, p=shares / shares.sum())
    points = (centres[own] + rng.normal(size=(20_000, LATENT))) @ basis
    return normalised((points + 0.3 * rng.normal(size=points.shape)).astype(np.float32))


@pytest.mark.slow
def test_labels_by_an_index_agree_with_those_by_exact_neighbours(vectors):
    host = Host.discover()
    spectral = host.build(Choice("clusterer", "spectral"))
    options = {"exact_below": 0, "recall": spectral.needed_recall}
    index = host.build(Choice("index", "faiss", options))
    needed = spectral.needed_neighbours(len(vectors), THEMES)
    found = index.neighbours(vectors, needed, 0)
    exact = exact_neighbours(vectors, needed)
    assert not np.array_equal(found.indices, exact.indices)
    labels = [spectral.fit_neighbours(vectors, near, THEMES, 0) for near in (found, exact)]
    assert adjusted_rand_score(*labels) >= 0.99
