"""The map of a data set: where it is made from, and kept."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.engine.reporting.map import selection_map
from ig4.core.engine.reporting.view import selection_view
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.errors import Ig4Error, MissingExtraError, UsageError
from ig4.core.records import Choice

from ....harbour import QUOTA, N
from ...conftest import record


@pytest.fixture
def view(docked, dataset):
    return selection_view(docked, dataset, QUOTA)


def test_a_data_set_without_a_model_is_laid_out_by_its_texts(docked, view):
    found = selection_map(docked, view)
    assert found is not None
    assert (found.space, found.method) == ("text", "pca")
    assert found.coordinates.shape == (N, 2)
    assert found.coordinates.dtype == np.float32
    assert not np.isnan(found.coordinates).any()
    np.testing.assert_array_equal(found.coordinates[60], found.coordinates[65])  # say the same


def test_it_is_made_once_and_kept(docked, view):
    first = selection_map(docked, view)
    files = sorted(docked.store.vector_folder.rglob("*"))
    again = selection_map(docked, view)
    np.testing.assert_array_equal(first.coordinates, again.coordinates)
    assert first.digest == again.digest
    assert sorted(docked.store.vector_folder.rglob("*")) == files


def test_a_space_that_is_not_there_is_an_error_where_it_is_asked_for(docked, view):
    with pytest.raises(Ig4Error, match="nowhere"):
        selection_map(docked, view, space="nowhere")


def test_an_embedder_that_lays_nothing_out_is_refused(docked, view):
    with pytest.raises(UsageError, match="text"):
        selection_map(docked, view, method="text", space="text")


@pytest.mark.parametrize("space", [None, "text"])
def test_a_method_that_there_is_not_is_an_error(docked, view, space):
    with pytest.raises(UsageError, match="umap"):
        selection_map(docked, view, method="umap", space=space)


def test_a_method_whose_library_is_missing_names_the_extra(docked, view, monkeypatch):
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(MissingExtraError, match=r"ig4\[map\]"):
        selection_map(docked, view, method="tsne")


@pytest.mark.slow
def test_a_map_that_was_asked_for_and_cannot_be_made_says_why(session, folder, read):
    pytest.importorskip("openTSNE")
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(4)))
    dataset = read().dataset
    choice = Choice("selector", "random")
    made = select(session, dataset, SelectionRequest(size=1, selector=choice))
    small = selection_view(session, dataset, made.id)
    with pytest.raises(UsageError, match="tsne needs 10 different vectors"):
        selection_map(session, small, method="tsne")
    assert selection_map(session, small).coordinates.shape == (4, 2)


@pytest.mark.parametrize("space", ["letters", "colour", "colour=0.9,letters=0.1"])
def test_it_is_of_the_space_that_the_clusters_of_the_selection_were_made_in(
    session, folder, read, space
):
    for n in range(6):
        folder.picture(f"p{n}.png", (40 * n, n, 250 - n))
    folder.write(
        *(record(f"s{n}", f"answer {n}", f"p{n}.png", instruction="ab" * n) for n in range(6))
    )
    dataset = read().dataset
    for each in (space, "letters" if space == "colour" else "colour"):  # the newest is another one
        request = ClusterRequest(
            Choice("clusterer", "kmeans"), Choice("embedder", "colour"), 2, 1, space=each
        )
        clustered = cluster(session, dataset, request)
        if each == space:
            request = SelectionRequest(
                size=2, clustering=clustered.id, selector=Choice("selector", "random")
            )
            made = select(session, dataset, request)
    found = selection_map(session, selection_view(session, dataset, made.id))
    assert found.space == space
