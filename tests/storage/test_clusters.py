"""The clustering used last is the newest, whatever the clocks say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ig4.storage import clock, clusters, datasets, runs
from ig4.storage.runs import ComponentRow


@pytest.fixture
def put(store):
    """Store a clustering of a data set; returns its id."""
    with store.writing() as connection:
        dataset = datasets.put(
            connection, "d", path="p", format="f", options={}, image_root=None, header=None
        )
        component = runs.component_id(
            connection, ComponentRow("clusterer", "kmeans", "ig4", "1", {}, "f")
        )

    def _put(name, **more):
        none = np.empty(0, dtype=np.int64)
        with store.writing() as connection:
            return clusters.put(
                connection, dataset_id=dataset.id, name=name, component_id=component, inputs=name,
                k=2, seed=1, imported=False, run_id=None, samples=none, labels=none, **more,
            )  # fmt: skip

    _put.dataset = dataset.id
    return _put


def newest(store, dataset):
    with store.reading() as connection:
        return clusters.find(connection, dataset).name


def test_a_clock_that_was_set_back_makes_no_clustering_older(store, put, monkeypatch):
    first = put("first")
    earlier = datetime.now(UTC) - timedelta(days=3)
    monkeypatch.setattr(clock, "now", lambda: earlier)
    put("second")
    assert newest(store, put.dataset) == "second"
    with store.writing() as connection:
        clusters.mark_used(connection, first, "first")
    assert newest(store, put.dataset) == "first"
    put("old", backdated=True)
    assert newest(store, put.dataset) == "first"
