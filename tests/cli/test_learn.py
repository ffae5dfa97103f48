"""`ig4 learn-weights` as people meet it: forecasts, results, the recipe, exit codes."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.config import recipe_file

from ..core.engine.ablating.learning import install
from ..core.engine.learning.world import write

LEARN = ["learn-weights", "--trainer", "share", "--benchmarks", "quiz", "--size", "30", "-q"]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command in a folder whose database holds a scored data set."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    write(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    assert run("ingest", "set.jsonl").exit_code == 0
    assert run("score", "--scorers", "length", "-q", "--no-check").exit_code == 0
    assert run("import-scores", "scores.csv", "--as", "taste", "--column", "taste").exit_code == 0
    yield run
    for name in [name for name in sys.modules if name.split(".")[0] == "learning"]:
        del sys.modules[name]


def json_of(done):
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_help_shows_examples_and_says_which_questions_are_meant(ig4):
    text = ig4("learn-weights", "--help").stdout
    assert "ig4 select --recipe ./learned.toml" in text
    assert "ig4 refuses those that an ablation tests on" in text


def test_a_dry_run_shows_subsets_cells_and_steps_and_stores_nothing(ig4):
    lines = ig4(*LEARN, "--dry-run").stdout.splitlines()
    assert lines[0] == "20 subsets of 30 of 240 samples, each with the mix of auto"
    assert [line.split()[0] for line in lines[2:4]] == ["length", "taste"]
    assert lines[4].startswith("condition number 1.")
    assert lines[-1] == "20 cells of 30 steps, evaluated by quiz.accuracy"
    told = json_of(ig4(*LEARN, "--dry-run", "--json", "--subsets", 8, "--seeds", 2))
    assert (told["cells"], told["steps"], told["design"]["subsets"]) == (16, 30, 8)
    assert json_of(ig4("query", "SELECT count(*) AS n FROM selections", "--json")) == [{"n": 0}]
    assert not Path("learned.toml").exists()


def test_weights_are_printed_written_and_selected_by(ig4):
    done = ig4(*LEARN, "--subsets", 8)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "Ablation 1: 8 of 8 subsets of set, quiz.accuracy" in done.stdout
    assert "recipe written to learned.toml: ig4 select --recipe ./learned.toml" in done.stdout
    settings, learned = recipe_file(Path("learned.toml"))
    assert list(settings["select"]["weights"]) == ["length", "taste"]
    assert learned["benchmarks"] == ["quiz"]
    low, high = learned["weights"]["taste"]["interval"]
    assert low < high
    chosen = json_of(ig4("select", "--recipe", "./learned.toml", "--size", 12, "--json", "-q"))
    assert len(chosen["selected"]) == 12
    assert chosen["composition"]["tv"] == 0
    shown = ig4("recipes", "show", "learned.toml").stdout
    assert "weights learned from quiz" in shown
    assert tomllib.loads(shown[shown.index("[run]") :]) == settings


def test_json_has_weights_design_and_how_far_to_trust_them(ig4):
    told = json_of(ig4(*LEARN, "--subsets", 8, "--json", "--name", "mine"))
    assert told["recipe"] == "mine.toml"
    assert set(told["weights"]["length"]) >= {"weight", "low", "high", "effect", "clear"}
    assert set(told) >= {"predicted_r2", "r2", "p", "verdict", "penalty", "design", "failed"}
    again = json_of(ig4(*LEARN, "--subsets", 8, "--json", "--name", "mine"))
    assert again == told | {"computed": 0}


def test_ig4_toml_says_it_all(ig4):
    Path("ig4.toml").write_text(
        '[learn]\nindicators = ["taste"]\nsubsets = 5\nfraction = 0.1\nbenchmarks = ["dev"]\n'
        'within = "none"\nmetric = "error"\nlower_is_better = true\nout = "there/best.toml"\n'
        'name = "best"\n'
        '[ablate]\ntrainer = "share"\noutput = "models"\n[benchmarks.dev]\nuse = "quiz"\n'
    )
    told = json_of(ig4("learn-weights", "-q", "--json"))
    assert (told["size"], told["within"], told["metric"]) == (24, None, "dev.error")
    settings, _ = recipe_file(Path("there/best.toml"))
    assert settings["selectors"] == {"best": {"use": "topk"}}
    assert Path("models/set").is_dir()


def test_some_failed_cells_end_with_3_and_say_what_to_do(ig4):
    done = ig4(*LEARN, "--subsets", 8, "-o", "share.spoilt=d 17 ")
    assert done.exit_code == 3, (done.output, done.exception)
    assert "of 8 cells failed; the same command tries them again" in done.stderr
    assert Path("learned.toml").exists()


def test_a_file_of_the_users_is_not_replaced_and_that_is_said_at_once(ig4):
    Path("learned.toml").write_text("mine")
    done = ig4(*LEARN, "--subsets", 8)
    assert "learned.toml" in str(done.exception)
    assert Path("learned.toml").read_text() == "mine"
    assert json_of(ig4("ablate", "show", "--json")) == []
    assert ig4(*LEARN, "--subsets", 4, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--indicators", "clip"], "set has no scores of clip: run `ig4 score --scorers clip`"),
        (["--benchmarks", "quizz"], "did you mean quiz"),
        (["--size", "500"], "subsets of 500 do not differ: only 240 samples"),
        (["--metric", "bleu"], "there is no metric 'bleu' (there are: quiz.accuracy, quiz.error)"),
        (["-o", "other.x=1"], "'other' is not used here"),
        (["--fraction", "2"], "--fraction"),
        (["--name", "a/b"], "--name"),
    ],
)
def test_wrong_requests_are_refused_in_a_line(ig4, flags, message):
    command = [word for word in LEARN if word not in ("--size", "30")] if "--fr" in flags else LEARN
    done = ig4(*command, *flags)
    assert done.exit_code != 0
    assert message in str(done.exception)


@pytest.mark.slow
def test_several_recipes_may_be_files(ig4):
    ig4(*LEARN, "--subsets", 4)
    Path("there").mkdir()
    Path("learned.toml").rename("there/learned.toml")
    done = ig4(
        "run", "--dataset", "set", "--recipe", "./there/learned.toml,random", "--size", 10, "-q",
        "--scorers", "length,taste", "--no-check", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)
    names = sorted(path.name for path in Path("selected").iterdir() if path.name[0] != ".")
    pages = ["set-learned-report.html", "set-random-report.html"]
    assert names == ["set-learned", pages[0], "set-random", pages[1]]
