"""Ablations: arms by seeds, resumed, failed and side by side, always with the same numbers."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest
from PIL import Image

from ig4.core import config as configuration
from ig4.core.engine.ablating.ablate import ablate, forecast
from ig4.core.engine.ablating.cells.checkpoints import exclusive
from ig4.core.engine.ablating.render import as_dict
from ig4.core.engine.ablating.result import load_result
from ig4.core.engine.grouping.cluster import ClusterRequest, cluster
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.errors import UsageError
from ig4.core.events import Notice, StageAdvanced
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage import ablations, clusters, selections
from ig4.storage.store import Store

from ....processes import environment
from .learning import install, write

ARMS = ["all", "random", "ig4"]


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = install(tmp_path / "site")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "learning"]:
        del sys.modules[name]


@pytest.fixture
def told():
    return []


@pytest.fixture
def session(tmp_path, site, told):
    with Store.open(tmp_path / "ig4.db") as store:
        made = Session(store, Host.discover(), [told.append])
        found = ingest(made, DatasetSource(write(tmp_path / "set.jsonl"), name="set")).dataset
        score(made, found, ScoreRequest([Choice("scorer", "length")]))
        yield made


def settings(compare=ARMS, trainer=None, **more):
    """A configuration of an ablation with the trainer `share` and the benchmark `quiz`."""
    section = {"compare": compare, "seeds": 3, "size": 10, "benchmarks": ["quiz"], "jobs": 1}
    tables = {
        key: more.pop(key) for key in ("benchmarks", "select", "cluster", "run") if key in more
    }
    return configuration.build(
        {
            "select": {"selector": "topk"},
            "trainers": {"share": trainer or {}},
            "ablate": {"trainer": "share"} | section | more,
        },
        tables,
    )


def run(session, *arguments, **more):
    return ablate(session, session.dataset("set"), settings(*arguments, **more))


def cells(session, number=1):
    with session.store.reading() as connection:
        return {(row.arm, row.seed): row for row in ablations.cells(connection, number)}


def values(session, number=1):
    return {key: row.metrics["quiz"]["value"] for key, row in cells(session, number).items()}


# -- what is done ---------------------------------------------------------------------------


def test_every_arm_is_trained_and_evaluated_with_every_seed(session):
    done = run(session, trainer={"noise": 0.0})
    assert (done.cells, done.done, done.failed, done.computed) == (9, 9, 0, 9)
    found = values(session)
    assert {found["all", seed] for seed in (42, 43, 44)} == {0.25}
    assert {found["ig4", seed] for seed in (42, 43, 44)} == {1.0}
    (table,) = as_dict(done.report)["tables"]
    assert [(row["arm"], row["samples"]) for row in table["rows"]] == [
        ("all", "40"), ("random", "10"), ("ig4", "10")
    ]  # fmt: skip
    assert table["rows"][2]["cells"]["quiz"] == {"mean": 100.0, "sd": 0.0, "seeds": 3, "best": True}


@pytest.mark.slow
def test_a_random_arm_draws_anew_for_each_seed_and_one_without_luck_selects_once(session):
    run(session)
    found = cells(session)
    assert len({found["random", seed].selection_id for seed in (42, 43, 44)}) == 3
    assert len({found["ig4", seed].selection_id for seed in (42, 43, 44)}) == 1
    assert {found["all", seed].selection_id for seed in (42, 43, 44)} == {None}


def test_a_selector_that_draws_draws_anew_for_each_seed(session):
    run(session, ["drawn", "ig4"], arms={"drawn": {"selector": "random"}}, seeds=3)
    found = cells(session)
    with session.store.reading() as connection:
        drawn = [
            [item.sample_id for item in selections.samples(connection, row.selection_id)]
            for (arm, _), row in found.items()
            if arm == "drawn"
        ]
    assert len({tuple(sorted(one)) for one in drawn}) == 3
    assert len({found["ig4", seed].selection_id for seed in (42, 43, 44)}) == 1


@pytest.mark.slow
def test_the_newest_selection_is_that_of_the_first_seed_where_the_reference_draws(session):
    run(session, ["ig4", "sizes:5"], select={"selector": "random"})
    found = cells(session)
    assert len({found["ig4", seed].selection_id for seed in (42, 43, 44)}) == 3
    with session.store.reading() as connection:
        newest = selections.last(connection)
    assert newest.id == found["ig4", 42].selection_id


@pytest.mark.slow
def test_the_seed_reaches_the_trainer(session):
    run(session, ["all"])
    assert len(set(values(session).values())) == 3


@pytest.mark.slow
def test_arms_that_come_to_the_same_samples_are_trained_once(session, tmp_path):
    log = tmp_path / "log"
    done = run(session, ["ig4", "single"], trainer={"log": str(log)})
    assert done.done == 6
    assert len(log.read_text().splitlines()) == 3
    found = values(session)
    assert all(found["ig4", seed] == found["only-length", seed] for seed in (42, 43, 44))


@pytest.mark.slow
def test_the_model_as_it_is_can_be_an_arm(session):
    run(session, ["base", "ig4"])
    assert {value for (arm, _), value in values(session).items() if arm == "base"} == {0.0}


@pytest.mark.slow
def test_afterwards_the_newest_selection_is_the_reference(session):
    run(session, ["ig4", "random", "sizes:5"])
    with session.store.reading() as connection:
        newest = selections.last(connection)
    assert newest.id == cells(session)["ig4", 42].selection_id


def test_sizes_and_arms_of_ones_own_differ_in_what_they_say(session):
    own = {"tiny": {"size": 2}, "greedy": {"selection": "all", "options": {"noise": 0.0}}}
    run(session, None, arms=own, seeds=1)
    found = cells(session)
    assert found["tiny", 42].samples == 2
    assert found["greedy", 42].samples == 40
    assert found["greedy", 42].metrics["quiz"]["value"] == 0.25
    assert set(found) >= {("all", 42), ("random", 42), ("ig4", 42)}


def test_with_steps_all_arms_train_equally_long(session):
    config = settings(["all", "ig4"], steps=25)
    told = {one.arm: one.steps for one in forecast(session, session.dataset("set"), config)}
    assert told == {"all": 25, "ig4": 25}
    ablate(session, session.dataset("set"), config)
    with session.store.reading() as connection:
        from ig4.storage import trainings

        assert {row.steps for row in trainings.list_all(connection)} == {25}


def test_clusterers_and_numbers_of_clusters_leave_the_usual_clusters_alone(tmp_path, site, told):
    import json

    folder = tmp_path / "set"
    folder.mkdir()
    records = []
    for n in range(20):
        Image.new("RGB", (4, 4), (n * 12, 0, 0)).save(folder / f"{n}.png")
        turns = [
            {"from": "human", "value": "<image>\nWhat?"},
            {"from": "gpt", "value": "x" * (n + 1)},
        ]
        records.append({"id": f"s{n}", "image": f"{n}.png", "conversations": turns})
    (folder / "llava.json").write_text(json.dumps(records))
    with Store.open(tmp_path / "ig4.db") as store:
        made = Session(store, Host.discover(), [told.append])
        data = ingest(made, DatasetSource(folder, name="set")).dataset
        score(made, data, ScoreRequest([Choice("scorer", "length")]))
        halves = ClusterRequest(Choice("clusterer", "halves"), Choice("embedder", "shade"), 2, 42)
        usual = cluster(made, data, halves)
        spec = ["ig4", "no-clusters", "clusters:5", "clusterers:modulo"]
        config = settings(
            spec, size=4, seeds=1, select={"selector": "quota"}, run={"embedder": "shade"}
        )
        done = ablate(made, data, config)
        assert (done.done, done.failed) == (4, 0)
        with store.reading() as connection:
            assert clusters.find(connection, data.id).id == usual.id
            picked = {
                arm: [one.external_id for one in selections.samples(connection, row.selection_id)]
                for (arm, _), row in cells(made).items()
            }
            kinds = {
                arm: selections.find(connection, row.selection_id).clustering_id
                for (arm, _), row in cells(made).items()
            }
        assert picked["no-clusters"] == ["s19", "s18", "s17", "s16"]
        assert sorted(picked["ig4"]) == ["s10", "s18", "s19", "s9"]
        assert kinds["ig4"] == usual.id
        assert len({kinds["ig4"], kinds["clusters-5"], kinds["clusterer-modulo"]}) == 3


# -- again ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_done_once_nothing_is_done_again(session, tmp_path):
    log = tmp_path / "log"
    first = run(session, trainer={"log": str(log)})
    lines = log.read_text()
    again = run(session, trainer={"log": str(log)})
    assert (again.id, again.computed, again.done) == (first.id, 0, 9)
    assert log.read_text() == lines
    assert as_dict(again.report) == as_dict(first.report)
    with session.store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM selections").scalar() == 4


@pytest.mark.slow
def test_more_seeds_and_arms_train_only_what_is_new(session, tmp_path):
    log = tmp_path / "log"
    run(session, ["all", "ig4"], trainer={"log": str(log)}, seeds=2)
    done = run(session, ["all", "ig4", "sizes:5"], trainer={"log": str(log)}, seeds=3)
    assert (done.id, done.cells, done.computed) == (2, 9, 5)
    assert len(log.read_text().splitlines()) == 9


def test_another_option_of_the_trainer_is_another_ablation(session):
    first = run(session, ["ig4"], trainer={"noise": 0.0})
    second = run(session, ["ig4"], trainer={"noise": 0.5})
    assert (first.id, second.id, second.computed) == (1, 2, 3)


def test_changed_scores_are_another_ablation(session):
    run(session, ["ig4"], seeds=1)
    score(
        session,
        session.dataset("set"),
        ScoreRequest([Choice("scorer", "length", {"unit": "words"})]),
    )
    done = run(session, ["ig4"], seeds=1, size=9)
    assert (done.id, done.computed) == (2, 1)


def test_checkpoints_are_removed_once_evaluated_unless_they_are_kept(session, tmp_path):
    run(session, ["ig4"], seeds=1)
    assert not list(tmp_path.glob("ablations/set/[!.]*"))
    run(session, ["ig4"], seeds=2, keep_checkpoints=True)
    assert len(list(tmp_path.glob("ablations/set/*/share.json"))) == 1


def test_a_second_benchmark_reuses_checkpoints_that_were_kept(session, tmp_path):
    log = tmp_path / "log"
    more = {"trainer": {"log": str(log)}, "keep_checkpoints": True, "seeds": 2}
    run(session, ["ig4"], **more)
    both = {"quiz": {}, "exam": {"use": "quiz", "times": 50.0}}
    config = settings(["ig4"], benchmarks=both, **more)
    config = configuration.build(
        config.model_dump(exclude_unset=True), {"ablate": {"benchmarks": ["quiz", "exam"]}}
    )
    done = ablate(session, session.dataset("set"), config)
    assert len(log.read_text().splitlines()) == 2
    (table,) = as_dict(done.report)["tables"]
    assert table["columns"] == ["quiz", "exam", "mean"]
    assert done.report.factors == {"quiz": 100.0, "exam": 1.0}


# -- failures -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_failed_cell_stops_no_other_and_is_tried_again(session, told):
    done = run(session, trainer={"fail": 43})
    assert (done.done, done.failed) == (6, 3)
    assert cells(session)["ig4", 43].error == "the loss is nan with seed 43"
    assert any("the loss is nan with seed 43" in note for note in done.report.notes)
    assert any(isinstance(e, Notice) and "seed 43 failed" in e.text for e in told)
    healed = run(session)
    assert (healed.id, healed.done, healed.failed, healed.computed) == (done.id, 9, 0, 3)


def test_samples_that_the_trainer_refuses_fail_a_cell_or_are_skipped_and_told(session, told):
    refusing = {"refuses": "good"}
    done = run(session, ["ig4", "all"], trainer=refusing, seeds=1)
    assert done.failed == 2
    assert "samples cannot be trained on" in cells(session)["ig4", 42].error
    assert "--missing skip" in cells(session)["ig4", 42].error
    config = settings(["all"], trainer=refusing, seeds=1)
    config = config.model_copy(
        update={"train": config.train.model_copy(update={"missing": "skip"})}
    )
    skipped = ablate(session, session.dataset("set"), config)
    row = cells(session, skipped.id)["all", 42]
    assert (row.status, 0 < row.samples < 40) == ("done", True)
    assert any(isinstance(e, Notice) and "they are left out" in e.text for e in told)


def test_an_arm_that_cannot_select_fails_alone(session):
    done = run(session, ["ig4", "sizes:1000"])
    assert (done.done, done.failed) == (3, 3)
    assert "only 40" in cells(session)["size-1000", 42].error


def test_where_no_arm_can_be_prepared_the_reason_is_said(session):
    with pytest.raises(UsageError, match="only 40"):
        run(session, ["ig4"], size=1000)


def test_a_broken_benchmark_leaves_the_others_their_numbers(session):
    named = {"quiz": {}, "bad": {"use": "quiz", "broken": True}}
    config = configuration.build(
        settings(["ig4"], seeds=1, benchmarks=named).model_dump(exclude_unset=True),
        {"ablate": {"benchmarks": ["quiz", "bad"]}},
    )
    done = ablate(session, session.dataset("set"), config)
    cell = cells(session)["ig4", 42]
    assert (done.failed, cell.status) == (1, "failed")
    assert cell.error == "bad: RuntimeError: no ruler here"
    assert "value" in cell.metrics["quiz"]


def test_what_has_no_answer_is_asked_again_only_when_that_is_wanted(session, tmp_path):
    trainer = {"noise": 0.0, "needs": str(tmp_path / "picture")}
    done = run(session, ["ig4"], seeds=1, trainer=trainer)
    assert (done.unanswered, values(session)["ig4", 42]) == (100, 0.0)
    (tmp_path / "picture").touch()
    assert run(session, ["ig4"], seeds=1, trainer=trainer).computed == 0
    again = run(session, ["ig4"], seeds=1, trainer=trainer, retry_failed=True)
    assert (again.id, again.computed, again.unanswered) == (done.id, 1, 0)
    assert values(session)["ig4", 42] == 1.0
    assert run(session, ["ig4"], seeds=1, trainer=trainer, retry_failed=True).computed == 0


def test_wrong_names_are_said_before_anything_is_trained(session):
    with pytest.raises(UsageError, match="did you mean quiz"):
        ablate(session, session.dataset("set"),
               configuration.build({"ablate": {"benchmarks": ["quizz"], "trainer": "share"},
                                    "select": {"selector": "topk"}}))  # fmt: skip
    with pytest.raises(UsageError, match="name at least one benchmark"):
        ablate(session, session.dataset("set"), configuration.build({}))
    with pytest.raises(UsageError, match="no ablation 7"):
        load_result(session, 7)


# -- side by side ---------------------------------------------------------------------------


@pytest.mark.slow
def test_two_at_a_time_give_the_same_numbers_as_one(session, tmp_path, told):
    run(session, seeds=2)
    with Store.open(tmp_path / "other.db") as store:
        other = Session(store, Host.discover(), [told.append])
        found = ingest(other, DatasetSource(tmp_path / "set.jsonl", name="set")).dataset
        score(other, found, ScoreRequest([Choice("scorer", "length")]))
        done = run(other, seeds=2, jobs=2, output="elsewhere", trainer={"pause": 0.01})
        assert (done.done, done.failed) == (6, 0)
        assert values(other) == values(session)
        assert "a library prints this" in (tmp_path / "elsewhere/set/logs/worker-1.log").read_text()
        with store.reading() as connection:
            runs = connection.exec_driver_sql("SELECT DISTINCT run_id FROM trainings").fetchall()
        assert len(runs) == 1


@pytest.mark.slow
def test_a_worker_that_dies_fails_its_cell_and_is_replaced(session):
    done = run(session, ["ig4", "all"], jobs=2, trainer={"die": 43})
    assert (done.done, done.failed) == (4, 2)
    assert "signal SIGKILL (perhaps memory ran out)" in cells(session)["ig4", 43].error


def test_progress_counts_cells_and_tells_where_they_are(session, told):
    run(session, seeds=2)
    mine = [event for event in told if isinstance(event, StageAdvanced) and event.stage == "ablate"]
    assert sum(event.done for event in mine) == 6
    assert any("seed 42 done" in event.note for event in mine)


def test_a_second_call_touches_nothing_that_the_first_is_at_work_on(session, tmp_path):
    run(session, ["ig4"], seeds=1, keep_checkpoints=True)
    (kept,) = tmp_path.glob("ablations/set/*/share.json")
    with exclusive(tmp_path / "ablations/set"), pytest.raises(UsageError, match="wait until"):
        run(session, ["ig4"], seeds=1)
    assert kept.is_file()


# -- killed ---------------------------------------------------------------------------------

CONTENT = "SELECT arm, seed, status, json_extract(metrics, '$.quiz.value') FROM ablation_cells"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal")
@pytest.mark.parametrize(("jobs", "kills"), [(1, [1, 2]), (2, [2])])
def test_killed_it_goes_on_and_ends_the_same(session, tmp_path, site, jobs, kills):
    with (
        closing(sqlite3.connect(tmp_path / "ig4.db")) as whole,
        closing(sqlite3.connect(tmp_path / "torn.db")) as torn,
    ):  # fmt: skip
        whole.backup(torn)
    run(session, seeds=2)
    expected = sorted((arm, seed, value) for (arm, seed), value in values(session).items())
    log = tmp_path / "log"
    command = [
        sys.executable, "-m", "ig4", "ablate", "--db", "torn.db", "--arms", ",".join(ARMS),
        "--seeds", "2", "--size", "10", "--selector", "topk", "--trainer", "share", "--quiet",
        "--benchmarks", "quiz", "--jobs", str(jobs), "--checkpoints", "torn",
        "-o", "share.pause=0.01", "-o", f"share.log={log}",
    ]  # fmt: skip
    world = environment(site)
    for trained in kills:
        process = subprocess.Popen(command, cwd=tmp_path, env=world,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
        wait_for(process, log, trained)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = subprocess.run(command, cwd=tmp_path, env=world, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    with closing(sqlite3.connect(tmp_path / "torn.db")) as connection, connection:
        rows = connection.execute(CONTENT).fetchall()
    assert {row[2] for row in rows} == {"done"}
    assert sorted((arm, seed, value) for arm, seed, _, value in rows) == expected
    assert len(log.read_text().splitlines()) <= 6 + len(kills) * jobs


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_interrupted_it_says_so_and_leaves_no_process_behind(session, tmp_path, site):
    log = tmp_path / "log"
    command = [
        sys.executable, "-m", "ig4", "ablate", "--arms", "ig4,random", "--seeds", "2", "--size",
        "10", "--selector", "topk", "--trainer", "share", "--benchmarks", "quiz", "--jobs", "2",
        "-o", "share.pause=0.06", "-o", f"share.log={log}", "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True,
                               env=environment(site))  # fmt: skip
    wait_for(process, log, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command continues from there" in said
    states = {row.status for row in cells(session).values()}
    assert "running" not in states
    assert "interrupted" in states
    there = log.read_text()
    time.sleep(0.8)  # longer than a training takes: one that went on would write its line
    assert log.read_text() == there


def wait_for(process, log, lines):
    """Wait until so many more trainings are done."""
    before = len(log.read_text().splitlines()) if log.exists() else 0
    deadline = time.monotonic() + 120
    while not log.exists() or len(log.read_text().splitlines()) < min(5, before + lines):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
