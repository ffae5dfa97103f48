"""The plan of a run: made once, from the configuration alone, before anything is recorded."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path

import pytest
from sqlalchemy import text

from ig4.core.config import build
from ig4.core.engine.ingesting.imports import ScoreColumn, import_clusters, import_scores
from ig4.core.engine.plan import make_run_plan
from ig4.core.engine.run import run
from ig4.core.errors import DatasetError, UsageError

from ..conftest import record


@pytest.fixture
def photos(folder):
    for n, colour in enumerate([(250, 0, 0), (0, 250, 0), (0, 0, 250)]):
        folder.picture(f"{n}.png", colour)
    folder.write(*(record(f"s{n}", "word " * (n + 1), f"{n}.png") for n in range(3)))
    return folder


@pytest.fixture
def tables(photos, tmp_path):
    return {
        "dataset": {"path": photos.path, "name": "set", "encoding": "utf-8"},
        "run": {"scorers": ["bright", "counted"], "embedder": "colour", "seed": 7},
        "cluster": {"clusterer": "kmeans", "k": 2},
        "select": {"size": 2, "weights": {"bright": 0.5, "counted": 0.5}},
        "export": {"path": tmp_path / "best"},
    }


def config(tables, **more):
    return build(tables, more)


def count(session, table):
    with session.store.reading() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}"))


def test_a_plan_has_a_part_for_each_stage(session, tables, photos, tmp_path):
    plan = make_run_plan(session, config(tables), retry_failed=True, recompute=["counted"])
    assert (plan.source.path, plan.source.options) == (Path(photos.path), {"encoding": "utf-8"})
    assert [choice.label for choice in plan.scoring.scorers] == ["bright", "counted"]
    assert (plan.scoring.retry_failed, plan.scoring.recompute) == (True, ("counted",))
    assert [choice.label for choice in plan.spaces] == ["colour"]
    assert (plan.clustering.clusterer.use, plan.clustering.k, plan.clustering.seed) == (
        "kmeans", 2, 7,
    )  # fmt: skip
    assert (plan.selection.size, plan.selection.clustering) == (2, "kmeans")
    assert plan.target.path == tmp_path / "best"


def test_making_a_plan_records_and_computes_nothing(session, tables):
    make_run_plan(session, config(tables))
    assert [count(session, name) for name in ("runs", "datasets", "samples", "components")] == [
        0
    ] * 4


def test_a_plan_cannot_be_changed(session, tables):
    plan = make_run_plan(session, config(tables))
    for part in (plan, plan.source, plan.scoring, plan.clustering, plan.selection, plan.target):
        with pytest.raises(FrozenInstanceError):
            setattr(part, fields(part)[0].name, None)


def test_a_run_does_what_its_plan_says_and_not_what_the_configuration_says(session, tables):
    plan = make_run_plan(session, config(tables))
    fewer = replace(plan, selection=replace(plan.selection, size=1))
    assert len(run(session, fewer).selection) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"run": {"scorers": ["brihgt"]}}, "did you mean bright"),
        ({"run": {"embedder": "color"}}, "did you mean colour"),
        ({"run": {"executor": "lokal"}}, "did you mean local"),
        ({"cluster": {"clusterer": "kmeens"}}, "did you mean kmeans"),
        ({"select": {"selector": "quotta"}}, "did you mean quota"),
        ({"select": {"weights": {"brigt": 1.0}}}, "did you mean bright"),
        ({"scorers": {"counted": {"btach": 2}}}, "did you mean batch"),
        ({"run": {"scorers": []}}, "name at least one scorer"),
    ],
)
def test_what_is_wrong_is_found_when_the_plan_is_made(session, tables, more, message):
    with pytest.raises(UsageError, match=message):
        make_run_plan(session, config(tables, **more))
    assert count(session, "runs") == 0


def test_a_plan_without_a_data_set_needs_one_in_the_database(session, tables):
    with pytest.raises(DatasetError, match="no data set yet"):
        make_run_plan(session, config(tables | {"dataset": {}}))


def test_a_data_set_in_the_database_is_found_by_its_name(session, tables, read):
    read()
    plan = make_run_plan(session, config(tables | {"dataset": {}}))
    assert (plan.source, plan.dataset) == (None, "set")


def test_a_selector_that_heeds_no_clusters_gets_none(session, tables):
    plan = make_run_plan(session, config(tables, select={"selector": "topk"}))
    assert (plan.clustering, plan.selection.clustering, plan.spaces) == (None, None, ())


def test_imported_clusters_are_used_and_not_formed(session, tables, read, tmp_path):
    dataset = read().dataset
    (tmp_path / "labels.csv").write_text("id,cluster\ns0,0\ns1,1\ns2,1\n")
    import_clusters(session, dataset, tmp_path / "labels.csv", "mine")
    plan = make_run_plan(session, config(tables, cluster={"clusterer": "mine"}))
    assert (plan.clustering, plan.selection.clustering) == (None, "mine")


def test_a_scorer_with_imported_scores_need_not_be_installed(session, tables, read, tmp_path):
    dataset = read().dataset
    (tmp_path / "gpt.csv").write_text("id,value\ns0,1\ns1,2\ns2,3\n")
    import_scores(session, dataset, ScoreColumn(tmp_path / "gpt.csv", "foreign", "value"))
    more = {"run": {"scorers": ["foreign"]}, "select": {"weights": {"foreign": 1.0}}}
    assert make_run_plan(session, config(tables, **more)).scoring.scorers[0].label == "foreign"
    with pytest.raises(UsageError, match="unknown scorer 'foreign'"):
        make_run_plan(session, config(tables, **more), recompute=["foreign"])


def test_weights_of_configured_scorers_that_do_not_run_are_left_out(session, tables):
    weights = {"bright": 0.5, "counted": 0.5, "bare": 0.3}
    more = {"scorers": {"bare": {}}, "select": {"weights": weights}}
    plan = make_run_plan(session, config(tables, **more))
    assert plan.selection.weights == {"bright": 0.5, "counted": 0.5}


def test_a_plan_is_json_able(session, tables):
    plan = json.loads(json.dumps(make_run_plan(session, config(tables)).to_dict()))
    scorers = plan["scoring"]["scorers"]
    assert scorers == {"bright": {"use": "bright"}, "counted": {"use": "counted"}}
    assert plan["clustering"]["embedder"] == {"use": "colour"}
    assert plan["selection"]["selector"] == {"use": "quota"}
    assert plan["dataset"] == "set"


def test_the_record_of_a_plan_leaves_the_database_url_out(session, tables):
    plan = make_run_plan(session, config(tables, db="postgresql://me:hush@server/scores"))
    assert "hush" not in json.dumps(plan.config)


# What the commands of single stages make by the same functions.


def test_a_clusterer_is_checked_also_where_the_selector_heeds_no_clusters(session, tables):
    wrong = {"select": {"selector": "topk"}, "cluster": {"clusterer": "kmeens"}}
    with pytest.raises(UsageError, match="did you mean kmeans"):
        make_run_plan(session, config(tables, **wrong))
    secret = {"select": {"selector": "topk"}, "clusterers": {"kmeans": {"api_key": "hush"}}}
    with pytest.raises(UsageError, match="api_key"):
        make_run_plan(session, config(tables, **secret))
