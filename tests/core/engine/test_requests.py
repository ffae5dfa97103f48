"""Requests of stages: what a configuration says, and what it leaves to defaults."""

from __future__ import annotations

from pathlib import Path

from ig4.core.config import build
from ig4.core.engine.requests import (
    PAPER_FRACTION,
    cluster_request,
    dataset_source,
    embedder_choice,
    export_target,
    score_request,
    selection_request,
)
from ig4.core.records import Choice


def test_by_default_the_paper_s_share_is_selected():
    request = selection_request(build({}))
    assert (request.size, request.fraction) == (None, PAPER_FRACTION)
    assert (request.scorers, request.clustering) == (None, None)


def test_a_size_leaves_no_fraction():
    assert selection_request(build({"select": {"size": 3}})).fraction is None


def test_the_embedder_takes_the_options_of_the_scorer_of_its_name():
    made = embedder_choice(build({"scorers": {"clip": {"model": "ViT-L-14"}}}))
    assert made == Choice("embedder", "clip", {"model": "ViT-L-14"}, "clip")
    own = build({"scorers": {"clip": {"model": "ViT-L-14"}}, "embedders": {"clip": {}}})
    assert embedder_choice(own).options == {}


def test_clusters_are_formed_as_configured():
    request = cluster_request(build({"cluster": {"clusterer": "kmeans", "k": 3}}))
    assert (request.clusterer.label, request.embedder.label, request.k) == ("kmeans", "clip", 3)


def test_scores_are_asked_for_on_the_configured_terms():
    request = score_request(build({"calls": {"max_cost": 2.5}, "run": {"executor": "ray"}}))
    assert (request.call_settings.max_cost, request.executor.use) == (2.5, "ray")


def test_an_export_goes_to_a_folder_of_the_data_set_s_name_by_default():
    assert export_target(build({}), "a/b").path.parent == Path("selected")
    assert export_target(build({}), "set").path == Path("selected/set")


def test_no_path_is_no_source():
    assert dataset_source(build({})) is None
