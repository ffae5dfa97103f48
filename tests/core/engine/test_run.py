"""A whole run: every stage once, what is wrong found before any work, a record of it kept."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from sqlalchemy import text

from ig4.core.config import Config
from ig4.core.engine.plan import make_run_plan
from ig4.core.engine.reporting.pagedata import PageRequest
from ig4.core.engine.reporting.report import write_report
from ig4.core.engine.run import run as run_plan
from ig4.core.engine.runplan import join_plans
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageFinished

from ..conftest import record

COLOURS = [(250, 0, 0), (240, 10, 0), (230, 0, 20), (0, 250, 0), (10, 240, 0), (0, 230, 20)]


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def photos(folder):
    """Six records in two groups of colours."""
    for number, colour in enumerate(COLOURS):
        folder.picture(f"{number}.png", colour)
    folder.write(*(record(f"s{n}", "word " * (n + 1), f"{n}.png") for n in range(len(COLOURS))))
    return folder


@pytest.fixture
def config(photos, log, tmp_path):
    def make(**more):
        tables = {
            "dataset": {"path": photos.path, "name": "set"},
            "run": {"scorers": ["bright", "counted"], "embedder": "colour"},
            "scorers": {"bright": {"log": str(log)}, "counted": {"batch": 2}},
            "embedders": {"colour": {"log": str(log)}},
            "cluster": {"clusterer": "kmeans", "k": 2},
            "select": {"size": 4, "weights": {"bright": 0.5, "counted": 0.5}},
            "export": {"path": tmp_path / "best"},
        }
        for name, table in more.items():
            tables[name] = tables[name] | table
        return Config.model_validate(tables)

    return make


def run(session, config):
    return run_plan(session, make_run_plan(session, config))


def runs(session):
    with session.store.reading() as connection:
        sql = "SELECT command, status, dataset_id FROM runs ORDER BY id"
        return [tuple(row) for row in connection.execute(text(sql))]


def test_a_run_does_every_stage_and_says_what_each_did(session, config, tmp_path):
    result = run(session, config())
    assert result.ingested.samples == len(COLOURS)
    assert result.scored.done == {"bright": 6, "counted": 6}
    assert result.clustered is not None
    assert len(result.selection) == 4
    assert {one.cluster for one in result.selection} == {0, 1}
    kept = json.loads((tmp_path / "best" / "llava.json").read_text())
    assert sorted(one["id"] for one in kept) == sorted(result.selection.ids)
    assert result.failed == 0


@pytest.mark.slow
def test_images_are_embedded_once_for_scorer_and_clusters(session, config, log):
    run(session, config())
    assert len(log.read_text().split()) == len(COLOURS)


@pytest.mark.slow
def test_a_second_run_computes_nothing(session, config, log):
    first = run(session, config())
    before = log.read_text()
    again = run(session, config())
    assert again.scored.done == {"bright": 0, "counted": 0}
    assert log.read_text() == before
    assert again.selection.ids == first.selection.ids


@pytest.mark.slow
def test_each_run_is_recorded_once_with_its_data_set(session, config):
    run(session, config())
    assert runs(session) == [("run", "done", 1)]


@pytest.mark.slow
def test_failures_make_a_run_partial(session, config, photos):
    photos.write(record("bad", "fail", "0.png"), record("good", "word", "1.png"))
    result = run(session, config(select={"size": 1}))
    assert (result.failed, result.selection.ids) == (1, ["good"])
    assert runs(session) == [("run", "partial", 1)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"run": {"scorers": ["counte"]}}, "did you mean counted"),
        ({"cluster": {"clusterer": "kmean"}}, "did you mean kmeans"),
        ({"select": {"selector": "quotta"}}, "did you mean quota"),
        ({"run": {"executor": "locl"}}, "did you mean local"),
        ({"scorers": {"counted": {"btach": 2}}}, "did you mean batch"),
        ({"run": {"scorers": []}}, "name at least one scorer"),
    ],
)
def test_wrong_names_are_found_before_any_work(session, config, more, told):
    with pytest.raises(UsageError, match=told):
        run(session, config(**more))
    with session.store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM samples")) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"select": {"size": 7}}, "cannot select 7 samples: set has 6"),
        ({"cluster": {"k": 7}}, "cannot form 7 clusters of 6 distinct images: lower --k"),
        ({"select": {"weights": {"brihgt": 1.0}}}, "did you mean bright"),
        ({"select": {"weights": {"bright": float("nan")}}}, "give a number"),
    ],
)
def test_what_cannot_be_selected_is_found_before_anything_is_scored(session, config, more, told):
    with pytest.raises(UsageError, match=told):
        run(session, config(**more))
    with session.store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM scores")) == 0


def test_a_data_set_without_images_says_how_to_do_without_clusters(session, config, photos):
    photos.write(*(record(f"s{n}", "word") for n in range(6)))
    with pytest.raises(UsageError, match=r"--clusterer none --selector topk"):
        run(session, config())


def test_a_run_that_breaks_is_recorded_as_failed(session, config, tmp_path):
    with pytest.raises(DatasetError):
        run(session, config(dataset={"path": tmp_path / "nowhere"}))
    assert runs(session) == [("run", "failed", None)]


def test_clusters_that_nobody_asks_for_are_not_made(session, config):
    result = run(session, config(select={"selector": "topk"}))
    assert result.clustered is None
    assert len(result.selection) == 4


def test_no_clusterer_means_one_cluster_also_where_there_are_clusters(session, config):
    clustered = run(session, config())
    assert {one.cluster for one in clustered.selection} == {0, 1}
    plain = run(session, config(cluster={"clusterer": "none"}))
    assert (plain.clustered, plain.selection.config["clustering"]) == (None, None)
    best = run(session, config(cluster={"clusterer": "none"}, select={"selector": "topk"}))
    assert plain.selection.ids == best.selection.ids


def test_by_default_six_in_a_hundred_are_selected(session, config, photos):
    photos.write(*(record(f"s{n}", "word " * (n % 7 + 1), "0.png") for n in range(50)))
    chosen = config(cluster={"clusterer": "none"})
    chosen = chosen.model_copy(
        update={"select": chosen.select.model_copy(update={"size": None, "selector": "topk"})}
    )
    assert len(run(session, chosen).selection) == 3


def recorded(session):
    with session.store.reading() as connection:
        return " ".join(connection.scalars(text("SELECT CAST(config AS TEXT) FROM runs")))


def test_of_several_recipes_each_notice_says_whose_it_is(session, config, notices):
    stages = {"stages": [{"do": "take", "fraction": 0.9, "selector": "topk"}]}
    plans = [
        make_run_plan(session, config(select=more), recipe=name)
        for name, more in (("one", {}), ("two", stages))
    ]
    run_plan(session, join_plans(plans))
    assert "two: stage 1 (take) left out 1 sample of 6" in notices()
    assert not any(text.startswith("stage") for text in notices())
    heard = len(notices())
    run(session, config(select=stages))
    assert "stage 1 (take) left out 1 sample of 6" in notices()[heard:]


def test_the_databases_url_and_its_password_are_not_recorded(session, config):
    secret = config().model_copy(update={"db": "postgresql://me:hush@server/scores"})
    run(session, secret)
    assert "hush" not in recorded(session)


def test_a_key_that_stands_where_no_option_is_is_not_recorded(session, config):
    with pytest.raises(UsageError, match="api_key"):
        run(session, config(scorers={"counted": {"api_key": "hush"}}))
    assert "hush" not in recorded(session)


def exported(tmp_path):
    return sorted(path.name for path in tmp_path.glob("best*"))


def several(session, config, **changed):
    """A run of the recipes `one` and `two`; the second is changed."""
    return join_plans(
        [
            make_run_plan(session, config(), recipe="one"),
            make_run_plan(session, config(**changed), recipe="two"),
        ]
    )


def test_where_one_of_several_recipes_fails_none_is_exported_and_it_is_named(
    session, config, tmp_path
):
    rejecting = {"do": "reject", "tails": {"counted": [90, 100]}}
    plan = several(session, config, select={"selector": "topk"})
    first = make_run_plan(session, config(select={"stages": [rejecting]}), recipe="one")
    failing = replace(plan, selection=first.selection)
    with pytest.raises(UsageError) as caught:
        run_plan(session, failing)
    told = str(caught.value)
    assert told.startswith("recipe one: cannot select 4 samples: the stages")
    assert "Nothing is exported; selection 1 (two) is stored" in told
    assert exported(tmp_path) == []
    run_plan(session, plan)
    assert exported(tmp_path) == [
        "best-one", "best-one-report.html", "best-two", "best-two-report.html",
    ]  # fmt: skip


def test_what_is_wrong_with_a_recipe_before_any_work_names_it(session, config, tmp_path):
    with pytest.raises(UsageError, match=r"^recipe two: cannot select 7 samples: set has 6$"):
        run_plan(session, several(session, config, select={"size": 7}))
    (tmp_path / "best-two").mkdir()
    (tmp_path / "best-two" / "llava.json").write_text("[]")
    with pytest.raises(UsageError, match=r"^recipe two: "):
        run_plan(session, several(session, config))
    assert exported(tmp_path) == ["best-two"]


def test_an_error_of_a_run_of_one_recipe_is_as_it_was(session, config):
    plan = make_run_plan(session, config(select={"size": 7}), recipe="one")
    with pytest.raises(UsageError, match=r"^cannot select 7 samples: set has 6$"):
        run_plan(session, join_plans([plan]))


def test_an_export_that_fails_says_what_is_written_and_what_is_stored(session, config, tmp_path):
    plan = several(session, config, select={"selector": "topk"})

    def take_target(event):
        if isinstance(event, StageFinished) and event.stage == "export":
            (tmp_path / "best-one").mkdir()
            (tmp_path / "best-one" / "llava.json").write_text("[]")

    session.listeners = [*session.listeners, take_target]
    with pytest.raises(UsageError) as caught:
        run_plan(session, plan)
    told = str(caught.value)
    assert told.startswith("recipe one: ")
    assert f"Exported so far: two to {tmp_path / 'best-two'}" in told
    assert "selections 1 (two), 2 (one) are stored" in told


def test_recipes_that_would_be_written_to_one_place_are_refused(session, config):
    plans = [make_run_plan(session, config(), recipe=f"{name}/mine.toml") for name in "ab"]
    with pytest.raises(UsageError, match=r"a/mine.toml and b/mine.toml would both be written to"):
        join_plans(plans)


def test_the_page_of_a_run_is_the_one_that_a_report_makes_of_it_later(
    session, config, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "altair", None)
    done = run(session, config())
    dataset = session.dataset("set")
    later = tmp_path / "later.html"
    write_report(session, dataset, done.selection.id, later, PageRequest())
    assert later.read_bytes() == done.report.read_bytes()
