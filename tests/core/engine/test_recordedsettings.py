"""What a data set's scores and clusters were made with is used by later commands, and told."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from ig4.core.config import build
from ig4.core.engine.grouping.cluster import cluster
from ig4.core.engine.plan import make_run_plan
from ig4.core.engine.recordedsettings import with_recorded_options
from ig4.core.engine.requests import cluster_request, score_request
from ig4.core.engine.scoring.score import score

from ..conftest import record


@pytest.fixture
def dataset(folder, read):
    for n, colour in enumerate(["red", "blue", "green"]):
        folder.picture(f"{n}.png", colour)
    folder.write(*(record(f"s{n}", "word " * (n + 1), f"{n}.png") for n in range(3)))
    return read().dataset


@pytest.fixture
def scored(session, dataset):
    """Score the data set as a configuration says."""

    def _scored(name="counted", **options):
        config = build({"run": {"scorers": [name]}, "scorers": {name: options}})
        score(session, dataset, score_request(config))

    return _scored


def options(session, dataset, name="counted", **tables):
    config = build({"run": {"scorers": [name]}, **tables})
    return with_recorded_options(session, dataset, config, scorers=[name]).choice("scorer", name)


def test_a_later_command_uses_the_options_of_the_scores_and_says_so(
    session, dataset, scored, notices
):
    scored(shift=2.0, batch=3)
    assert options(session, dataset).options == {"shift": 2.0, "batch": 3}
    assert "counted: the scores of set were made with batch=3, shift=2.0" in notices()[-1]


def test_a_run_plan_uses_them_too(session, dataset, scored):
    scored(shift=2.0)
    tables = {"run": {"scorers": ["counted"]}, "cluster": {"clusterer": "none"}}
    plan = make_run_plan(session, build(tables))
    assert plan.scoring.scorers[0].options == {"shift": 2.0}
    assert plan.config["scorers"] == {"counted": {"shift": 2.0}}


def test_options_that_are_given_are_added_to_them(session, dataset, scored):
    scored(shift=2.0)
    assert options(session, dataset, scorers={"counted": {"batch": "9"}}).options == {
        "shift": 2.0, "batch": "9",
    }  # fmt: skip
    same = options(session, dataset, scorers={"counted": {"shift": "2"}})
    assert same.options == {"shift": "2"}


def test_one_that_differs_leaves_all_of_them_aside_and_that_is_said(
    session, dataset, scored, notices
):
    scored(shift=2.0, weights="there")
    chosen = options(session, dataset, scorers={"counted": {"shift": "3"}})
    assert chosen.options == {"shift": "3"}
    assert "not used, as shift is given anew" in notices()[-1]


def test_default_options_need_no_word(session, dataset, scored, notices):
    scored()
    assert options(session, dataset).options == {}
    assert notices() == []


def test_another_name_remembers_its_component(session, dataset):
    config = build({"run": {"scorers": ["mine"]}, "scorers": {"mine": {"use": "counted"}}})
    score(session, dataset, score_request(config))
    assert options(session, dataset, "mine").use == "counting/counted"


def test_an_earlier_record_is_used_where_it_is_all(session, dataset, scored, notices):
    scored(shift=2.0)
    with session.store.writing() as connection:
        connection.execute(text("UPDATE dataset_scorers SET options = NULL"))
    assert options(session, dataset).options == {"shift": 2.0}


def test_what_may_hold_a_secret_is_not_recorded_but_named(session, dataset, scored, notices):
    scored("ratio", maximum=7.0, access_token="hush")
    with session.store.reading() as connection:
        kept = connection.scalar(text("SELECT CAST(options AS TEXT) FROM dataset_scorers"))
    assert "hush" not in kept
    assert options(session, dataset, "ratio").options == {"maximum": 7.0}
    assert any("ratio.access_token, which may hold a secret" in text for text in notices())


def test_a_file_is_found_again_from_another_folder(session, dataset, scored, tmp_path, monkeypatch):
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.pt").write_text("")
    monkeypatch.chdir(tmp_path)
    scored(weights="w/a.pt")
    monkeypatch.chdir(tmp_path / "w")
    assert options(session, dataset).options == {"weights": str(tmp_path / "w" / "a.pt")}


def test_clusters_tell_the_options_of_clusterer_and_embedder(session, dataset, notices):
    pytest.importorskip("sklearn")
    tables = {"run": {"embedder": "colour"}, "cluster": {"clusterer": "kmeans", "k": 2}}
    given = {"embedders": {"colour": {"shift": 1.0}}, "clusterers": {"kmeans": {"n_init": 3}}}
    cluster(session, dataset, cluster_request(build(tables | given)))
    config = with_recorded_options(
        session, dataset, build(tables), embedder="colour", clusterer="kmeans"
    )
    request = cluster_request(config)
    assert (request.embedder.options, request.clusterer.options) == ({"shift": 1.0}, {"n_init": 3})
    assert cluster(session, dataset, request).reused
    plan = make_run_plan(session, build(tables | {"run": {**tables["run"], "scorers": ["short"]}}))
    assert plan.clustering.embedder.options == {"shift": 1.0}


def bright(session, dataset, name, **options):
    tables = {"run": {"scorers": [name]}, "scorers": {name: {"use": "bright", **options}}}
    score(session, dataset, score_request(build(tables)))


def embedder(session, dataset):
    config = build({"run": {"embedder": "colour"}})
    config = with_recorded_options(session, dataset, config, embedder="colour")
    return cluster_request(config).embedder


def test_the_embedder_of_scores_of_another_name_is_used_if_there_is_one(
    session, dataset, tmp_path, notices
):
    bright(session, dataset, "light", log=str(tmp_path / "a"))
    assert embedder(session, dataset).options == {"log": str(tmp_path / "a")}
    assert "colour: the light scores of set were made with log=" in notices()[-1]
    bright(session, dataset, "lighter", log=str(tmp_path / "b"))
    assert embedder(session, dataset).options == {}
    assert "embedder colour: the scores light, lighter of set" in notices()[-1]


def test_the_embedder_has_the_model_of_the_scorer_of_its_name(session, dataset):
    pytest.importorskip("open_clip")
    given = {"clip": {"model": "ig4-tiny", "text": "whole"}}
    config = build({"run": {"scorers": ["clip"]}, "scorers": given})
    score(session, dataset, score_request(config))
    later = with_recorded_options(session, dataset, build({}), embedder="clip")
    embedder = cluster_request(later).embedder
    assert embedder.options["model"] == "ig4-tiny"
    session.host.validate(embedder)


def test_scores_of_a_pool_tell_no_embedder(session, dataset, scored):
    scored("given-again")
    config = build({"run": {"embedder": "clip"}})
    assert with_recorded_options(session, dataset, config, embedder="clip").embedders == {}


def test_a_data_set_that_is_yet_to_be_read_has_the_embedder_of_the_scorer_too(session):
    pytest.importorskip("open_clip")
    config = build({"scorers": {"clip": {"model": "ig4-tiny", "text": "whole"}}})
    embedder = cluster_request(
        with_recorded_options(session, None, config, embedder="clip")
    ).embedder
    assert embedder.options["model"] == "ig4-tiny"
    session.host.validate(embedder)
