"""Weights from real trainings of a small trainer: found again, resumed, refused."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import ig4
from ig4.core import config as configuration
from ig4.core.engine.ablating.ablate import ablate
from ig4.core.engine.ablating.result import load_result
from ig4.core.engine.evaluating.evaluate import EvaluationRequest, evaluate
from ig4.core.engine.ingesting.imports import ScoreColumn, import_scores
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.learning.learn import learn_weights
from ig4.core.engine.learning.plan import make_learning_plan
from ig4.core.engine.learning.recipe import recipe_text
from ig4.core.engine.requests import selection_request
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.events import Notice
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage import ablations, selections
from ig4.storage.store import Store

from ....processes import environment
from ..ablating.learning import install
from .world import write


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
    write(tmp_path)
    with Store.open(tmp_path / "ig4.db") as store:
        made = Session(store, Host.discover(), [told.append])
        found = ingest(made, DatasetSource(tmp_path / "set.jsonl", name="set")).dataset
        score(made, found, ScoreRequest([Choice("scorer", "length")]))
        for name in ("noise", "taste", "twin"):
            import_scores(made, found, ScoreColumn(tmp_path / "scores.csv", name, name))
        yield made


def settings(options=None, tables=None, **more):
    """A configuration with the trainer `share` and development questions `dev`."""
    section = {
        "benchmarks": ["dev"], "indicators": ["length", "noise"], "subsets": 6, "size": 30,
        "trainer": "share",
    }  # fmt: skip
    return configuration.build(
        {
            "trainers": {"share": options or {}},
            "benchmarks": {"dev": {"use": "quiz", "about": "Development?"}},
            "ablate": {"jobs": 1},
            "learn": section | more,
        },
        tables or {},
    )


def learn(session, options=None, **more):
    return learn_weights(session, session.dataset("set"), settings(options, **more))


def notices(told):
    return [event.text for event in told if isinstance(event, Notice)]


@pytest.mark.slow
def test_learned_weights_are_those_of_what_helps_and_make_a_selection(session, tmp_path):
    done = learn(session, indicators=["length", "noise", "taste"], subsets=24)
    weights = {one.name: one for one in done.learned.weights}
    assert weights["taste"].clear
    assert weights["length"].clear
    assert weights["taste"].weight > 0.2
    assert weights["length"].weight > 0.1
    assert weights["noise"].low < 0 < weights["noise"].high
    assert abs(weights["noise"].weight) < 0.15
    assert sum(abs(one.weight) for one in weights.values()) == pytest.approx(1)
    assert done.learned.verdict == "predicts"
    assert done.learned.predicted_r2 > 0.5
    (tmp_path / "learned.toml").write_text(recipe_text(done), encoding="utf-8")
    config = configuration.load(recipe="learned.toml")
    chosen = select(session, session.dataset("set"), selection_request(config, recipe="learned"))
    good = {f"s{n}" for n in range(240) if _answer(tmp_path, n).startswith("good")}
    share = sum(one.external_id in good for one in chosen.chosen) / len(chosen.chosen)
    assert len(chosen.chosen) == 30
    assert share > 0.85  # of all samples about a half are good
    mix = chosen.report["composition"]
    assert mix["tv"] == 0  # one third asks how many


@pytest.mark.slow
def test_the_library_learns_as_the_command_does(session, tmp_path):
    done = ig4.learn_weights(
        session.store, benchmarks={"quiz": {"about": "Development?"}}, trainer="share",
        indicators=["length", "noise"], subsets=6, size=30, jobs=1, out="mine.toml",
    )  # fmt: skip
    assert done.to_dict()["weights"].keys() == {"length", "noise"}
    assert len(ig4.select(session.store, recipe="./mine.toml", size=12)) == 12
    (tmp_path / "own.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(ig4.Ig4Error, match=r"own\.toml"):
        ig4.learn_weights(session.store, benchmarks={"quiz": {}}, trainer="share", out="own.toml")


def _answer(folder, n):
    return json.loads((folder / "set.jsonl").read_text().splitlines()[n])["answer"]


def test_what_was_learned_is_kept_with_its_ablation(session):
    done = learn(session)
    with session.store.reading() as connection:
        (row,) = ablations.list_all(connection)
    kept = row.config["learning"]
    assert kept["result"]["weights"] == done.to_dict()["weights"]
    assert len(kept["percentiles"]) == 6
    assert len(kept["questions"]) == 100
    shown = load_result(session, done.id)
    assert (shown.cells, shown.done) == (6, 6)
    with session.store.reading() as connection:
        cells = ablations.cells(connection, done.id)
    assert done.to_dict()["outcomes"] == {one.arm: one.metrics["dev"]["value"] for one in cells}
    assert done.to_dict()["design"]["subsets"] == 6


@pytest.mark.slow
def test_an_equal_call_trains_nothing_and_more_subsets_go_on_from_fewer(session, tmp_path):
    log = {"log": str(tmp_path / "log")}
    first = learn(session, log)
    again = learn(session, log)
    assert (first.computed, again.computed) == (6, 0)
    assert again.to_dict() | {"computed": 6} == first.to_dict()
    more = learn(session, log, subsets=8)
    assert more.computed == 2
    assert more.outcomes[:6] == first.outcomes
    assert len((tmp_path / "log").read_text().splitlines()) == 8


def test_subsets_are_selections_but_never_the_last_one(session):
    dataset = session.dataset("set")
    best = SelectionRequest(size=5, clustering="none", selector=Choice("selector", "topk"))
    mine = select(session, dataset, best)
    learn(session)
    with session.store.reading() as connection:
        assert selections.last(connection, dataset.id).id == mine.id
        numbers = [cell.selection_id for cell in ablations.cells(connection, 1)]
        items = [selections.samples(connection, number) for number in numbers]
    assert len(set(numbers)) == 6
    assert {len(one) for one in items} == {30}
    asking = [sum(int(item.external_id[1:]) % 3 == 0 for item in one) for one in items]
    assert set(asking) == {10}  # the mix of all: a third


@pytest.mark.slow
def test_a_lower_metric_may_be_the_better_one(session, told):
    by_accuracy = learn(session, metric="dev.accuracy")
    by_error = learn(session, metric="error", lower_is_better=True)
    assert by_error.computed == 0
    for one, other in zip(by_accuracy.learned.weights, by_error.learned.weights, strict=True):
        assert one.weight == pytest.approx(other.weight)
    wrong_way = learn(session, metric="error")
    assert wrong_way.learned.weights[0].weight == pytest.approx(-by_error.learned.weights[0].weight)
    assert any("the weight of length is below 0" in text for text in notices(told))


@pytest.mark.slow
def test_several_benchmarks_count_alike_whatever_their_units(session):
    one = settings()
    both = settings(
        benchmarks=["dev", "far"],
        tables={"benchmarks": {"far": {"use": "quiz", "about": "Far?", "times": 1000.0}}},
    )
    dataset = session.dataset("set")
    alone, together = learn_weights(session, dataset, one), learn_weights(session, dataset, both)
    assert "mean of dev.accuracy, far.accuracy" in together.plan.metric.label
    for a, b in zip(alone.learned.weights, together.learned.weights, strict=True):
        assert a.weight == pytest.approx(b.weight)


@pytest.mark.slow
def test_failed_subsets_are_counted_and_the_others_count(session, told):
    done = learn(session, {"spoilt": "d 17 "}, subsets=12)
    failed = [text for text in notices(told) if "subset-" in text and "failed" in text]
    assert 0 < done.failed == len(failed) < 8
    assert len(done.used) == 12 - done.failed
    assert any(f"weights are learned from the other {len(done.used)}" in t for t in notices(told))
    assert done.learned.subsets == len(done.used)
    mended = learn(session, subsets=12)
    assert mended.computed == done.failed
    assert mended.failed == 0


@pytest.mark.slow
def test_subsets_of_which_only_some_seeds_finished_are_counted_and_said(session, told):
    done = learn(session, {"fail": 43}, seeds=2)
    assert (done.failed, len(done.used), done.partial) == (6, 6, 6)
    assert done.to_dict()["partial"] == 6
    assert any(
        "6 subsets of 6 have a result of only some of the 2 seeds" in text for text in notices(told)
    )
    told.clear()
    mended = learn(session, seeds=2)
    assert (mended.failed, mended.partial) == (0, 0)
    assert not any("only some of the" in text for text in notices(told))


def test_too_few_results_are_an_error_that_names_the_reason(session):
    with pytest.raises(Ig4Error, match=r"only 0 of 6 subsets have a result \(the loss is nan"):
        learn(session, {"fail": 42})


@pytest.mark.slow
def test_equal_results_teach_nothing(session, tmp_path):
    # Nobody can answer: each subset gets 0.
    with pytest.raises(Ig4Error, match=r"all 6 subsets have the same dev\.accuracy \(0\)"):
        learn(session, {"needs": str(tmp_path / "nowhere")})


@pytest.mark.slow
def test_only_clear_effects_are_kept_if_that_is_wanted(session, told):
    done = learn(session, indicators=["noise", "taste"], subsets=16, keep="clear")
    assert {one.name for one in done.learned.weights} == {"taste"}
    assert done.to_dict()["left_out"] == ["noise"]
    assert any("noise may as well have no effect" in text for text in notices(told))


# -- before anything is trained ---------------------------------------------------------------


WRONG = [
    ({"indicators": ["length", "gpt"]}, "no scores of gpt: run `ig4 score --scorers gpt`"),
    ({"indicators": ["lenght"]}, "did you mean length"),
    ({"size": 240}, "subsets of 240 do not differ: only 240 samples"),
    ({"size": 5000}, "subsets of 5,000 do not differ"),
    ({"subsets": 3}, "--subsets 3: weights of 2 indicators need at least 4 subsets, and 20"),
    ({"metric": "dev.acuracy"}, "did you mean dev.accuracy"),
    ({"metric": "f1"}, r"\(there are: dev.accuracy, dev.error\)"),
    ({"benchmarks": []}, "name development questions to learn from"),
    ({"benchmarks": ["quizz"]}, "did you mean quiz"),
    ({"trainer": "shar"}, "did you mean share"),
    ({"within": "frm"}, "frm"),
]


def test_wrong_requests_are_refused_and_nothing_is_stored(session):
    for more, message in WRONG:
        with pytest.raises(UsageError, match=message):
            learn(session, **more)
    with session.store.reading() as connection:
        assert ablations.list_all(connection) == []
        assert selections.last(connection) is None


def test_ten_subsets_for_each_indicator_are_drawn_and_fewer_are_said(session, told):
    plan = make_learning_plan(session, session.dataset("set"), settings(subsets=None))
    assert len(plan.subsets) == 20
    assert list(plan.design.notices()) == []
    learn(session)
    assert any("6 subsets for 2 indicators are few: 20 are advised" in t for t in notices(told))


def test_indicators_that_say_the_same_are_said(session):
    config = settings(indicators=["taste", "twin"], subsets=20)
    (text,) = make_learning_plan(session, session.dataset("set"), config).design.notices()
    assert "taste and twin cannot be told apart" in text


def test_an_indicator_with_one_value_teaches_nothing(session, tmp_path, told):
    rows = "".join(f"s{n},7\n" for n in range(240))
    (tmp_path / "flat.csv").write_text(f"id,flat\n{rows}")
    dataset = session.dataset("set")
    import_scores(session, dataset, ScoreColumn(tmp_path / "flat.csv", "flat", "flat"))
    import_scores(session, dataset, ScoreColumn(tmp_path / "flat.csv", "even", "flat"))
    with pytest.raises(UsageError, match="even, flat: each is the same for every sample"):
        learn(session, indicators=["length", "flat", "even"])
    plan = make_learning_plan(session, dataset, settings(indicators=None))
    assert {"length", "taste"} <= set(plan.names)
    assert not {"flat", "even"} & set(plan.names)
    (said,) = [text for text in notices(told) if "nothing can be learned" in text]
    assert said.startswith("even, flat: each is the same")
    assert said.endswith("left out")


def test_subsets_may_leave_the_mix_if_that_is_wanted(session):
    config = settings(within="none", indicators=["length"])
    plan = make_learning_plan(session, session.dataset("set"), config)
    kinds = [sum(row % 3 == 0 for row in rows) for rows in plan.subsets]
    assert plan.within is None
    assert len(set(kinds)) > 1


# -- test questions ---------------------------------------------------------------------------


@pytest.mark.slow
def test_questions_that_an_ablation_of_the_configuration_tests_on_are_refused(session):
    same = {"test": {"use": "quiz", "about": "DEVELOPMENT?  "}}
    tables = {"ablate": {"benchmarks": ["test"]}, "benchmarks": same}
    message = r"dev is no set of development questions: 100 .* benchmarks of \[ablate\] \(test\)"
    with pytest.raises(UsageError, match=message):
        learn(session, tables=tables)
    other = {"test": {"use": "quiz", "about": "Test?"}}
    assert learn(session, tables=tables | {"benchmarks": other}).computed == 6


def ablation(session, about, *, arms=("all",)):
    config = settings(
        tables={
            "ablate": {
                "benchmarks": ["exam"],
                "compare": list(arms),
                "seeds": 1,
                "size": 30,
                "trainer": "share",
            },
            "benchmarks": {"exam": {"use": "quiz", "about": about}},
            "select": {"selector": "topk"},
        }
    )
    return ablate(session, session.dataset("set"), config)


def test_questions_of_a_stored_ablation_are_refused_under_any_name(session):
    ablation(session, "development?")
    with pytest.raises(UsageError, match=r"100 of its 100 .* tests of ablation 1 \(exam\)"):
        learn(session)


@pytest.mark.slow
def test_a_stored_ablation_of_an_older_ig4_is_known_by_its_benchmark(session):
    ablation(session, "Development?")
    with session.store.writing() as connection:
        (row,) = ablations.list_all(connection)
        config = {key: value for key, value in row.config.items() if key != "questions"}
        ablations.set_config(connection, row.id, config)
    with pytest.raises(UsageError, match="ablation 1 tests on the same benchmark with the same"):
        learn(session)


@pytest.mark.slow
def test_what_was_only_looked_at_is_said(session, told, tmp_path):
    lines = "".join(f'{{"question_id": "{n}", "text": "right"}}\n' for n in range(100))
    (tmp_path / "answers.jsonl").write_text(lines)
    choice = settings().choice("benchmark", "dev")
    with session.recorded("eval", {}):
        evaluate(session, EvaluationRequest(choice, predictions=tmp_path / "answers.jsonl"))
    assert learn(session).computed == 6
    assert any("`ig4 eval` has evaluated on dev (evaluation 1)" in text for text in notices(told))


def test_learning_twice_from_the_same_questions_is_no_test(session):
    learn(session)
    assert learn(session, subsets=7).computed == 1


@pytest.mark.slow
def test_an_arm_with_learned_weights_is_not_tested_on_what_they_were_learned_from(
    session, told, tmp_path
):
    done = learn(session)
    (tmp_path / "learned.toml").write_text(recipe_text(done), encoding="utf-8")
    with pytest.raises(UsageError, match=r"learned from 100 questions of exam, so exam is no test"):
        ablation(session, "Development?", arms=["recipes:learned.toml"])
    told.clear()
    ablation(session, "Development?")
    assert any(
        "weights were learned from questions of exam (ig4 learn-weights, ablation 1)" in t
        for t in notices(told)
    )
    told.clear()
    tested = ablation(session, "Test?", arms=["recipes:learned.toml"])
    assert (tested.done, tested.failed) == (1, 0)
    assert not any("weights were learned" in text for text in notices(told))


# -- killed -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal")
def test_killed_it_goes_on_and_ends_the_same(session, tmp_path, site):
    with (
        closing(sqlite3.connect(tmp_path / "ig4.db")) as whole,
        closing(sqlite3.connect(tmp_path / "torn.db")) as torn,
    ):  # fmt: skip
        whole.backup(torn)
    expected = learn(session)
    log = tmp_path / "log"
    command = [
        sys.executable, "-m", "ig4", "learn-weights", "--db", "torn.db", "--indicators",
        "length,noise", "--subsets", "6", "--size", "30", "--trainer", "share", "--benchmarks",
        "quiz", "-o", "quiz.about=Development?", "-o", "share.pause=0.003", "-o",
        f"share.log={log}", "--checkpoints", "torn", "--quiet", "--json",
    ]  # fmt: skip
    world = environment(site)
    process = subprocess.Popen(command, cwd=tmp_path, env=world,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    deadline = time.monotonic() + 120
    while not log.exists() or len(log.read_text().splitlines()) < 3:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "learned.toml").exists()
    done = subprocess.run(command, cwd=tmp_path, env=world, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert list(told["outcomes"].values()) == list(expected.outcomes)
    assert told["weights"] == expected.to_dict()["weights"]
    assert told["computed"] < 6
    assert len(log.read_text().splitlines()) <= 7  # the one that was killed is trained again
    assert (tmp_path / "learned.toml").exists()
