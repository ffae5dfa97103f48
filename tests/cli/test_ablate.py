"""`ig4 ablate` as people meet it: forecasts, tables in every form, exit codes."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import ig4 as library
from ig4.cli.main import cli

from ..core.engine.ablating.learning import install, write

QUIZ = ["--selector", "topk", "--trainer", "share", "--benchmarks", "quiz", "--size", "10"]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command in a folder whose database holds a scored data set."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    write(tmp_path / "set.jsonl")

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    assert run("ingest", "set.jsonl").exit_code == 0
    assert run("score", "--scorers", "length", "-q").exit_code == 0
    yield run
    for name in [name for name in sys.modules if name.split(".")[0] == "learning"]:
        del sys.modules[name]


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_dry_run_lists_arms_samples_and_steps_and_stores_nothing(ig4):
    dry = ["ablate", *QUIZ, "--seeds", 3, "--dry-run", "-o", "share.epochs=2"]
    lines = [line.split() for line in ig4(*dry).stdout.splitlines()]
    assert lines[1:4] == [
        ["all", "all", "40", "3", "80", "240"],
        ["random", "random", "10", "3", "20", "60"],
        ["ig4", "selected", "10", "3", "20", "60"],
    ]
    assert lines[-1] == ["9", "cells,", "360", "steps"]
    report = json_of(ig4(*dry, "--json", "--arms", "ig4,sizes:100"))
    assert report["arms"][0]["samples"] == 10
    assert "only 40" in report["arms"][1]["error"]
    assert report["cells"] == 3
    assert json_of(ig4("query", "SELECT count(*) AS n FROM selections", "--json")) == [{"n": 0}]
    assert json_of(ig4("ablate", "show", "--json")) == []


@pytest.mark.slow
def test_tables_come_in_every_form_and_go_to_files(ig4):
    run = ["ablate", *QUIZ, "--seeds", 2, "-q", "-o", "share.noise=0"]
    done = ig4(*run)
    assert done.exit_code == 0, done.output
    assert "ig4          10  100.00 ± 0.00*" in done.stdout
    assert json_of(ig4(*run, "--json"))["computed"] == 0
    assert "| ig4 | 10 | **100.00 ± 0.00** |" in ig4(*run, "--format", "markdown").stdout
    assert r"$\mathbf{100.00 \pm 0.00}$" in ig4("ablate", "show", 1, "--format", "latex").stdout
    starts = {"t.md": "**Sel", "t.tex": "% needs", "t.csv": "table,", "t.json": "{"}
    for name, start in starts.items():
        assert "tables written" in ig4("ablate", "show", 1, "--out", name).stderr
        assert Path(name).read_text().startswith(start)
    (row,) = [
        row for row in csv.DictReader(Path("t.csv").read_text().splitlines()) if row["arm"] == "all"
    ]
    assert row["quiz mean"] == "25.000000"


@pytest.mark.slow
@pytest.mark.parametrize("target", [".", "/", "folder"])
def test_tables_cannot_take_the_place_of_a_folder(ig4, target):
    Path("folder").mkdir()
    ig4("ablate", *QUIZ, "--seeds", 1, "-q", "--arms", "ig4")
    assert "cannot be written" in str(ig4("ablate", "show", 1, "--out", target).exception)


def test_show_lists_ablations(ig4):
    ig4("ablate", *QUIZ, "--seeds", 1, "-q")
    ig4("ablate", *QUIZ, "--seeds", 2, "-q", "--arms", "ig4")
    lines = ig4("ablate", "show").stdout.splitlines()
    assert [line.split()[:5] for line in lines[1:]] == [
        ["1", "set", "share", "3", "1"], ["2", "set", "share", "1", "2"]
    ]  # fmt: skip
    assert [row["done"] for row in json_of(ig4("ablate", "show", "--json"))] == [3, 2]


def test_failed_cells_end_with_3_and_say_what_to_do(ig4):
    done = ig4("ablate", *QUIZ, "--seeds", 2, "-q", "-o", "share.fail=43")
    assert done.exit_code == 3
    assert "3 of 6 cells failed; the same command tries them again" in done.stderr
    assert "Failed: all 43, ig4 43, random 43: the loss is nan with seed 43" in done.stdout


def test_ig4_toml_says_it_all(ig4):
    Path("ig4.toml").write_text(
        '[select]\nselector = "topk"\n'
        '[ablate]\ncompare = ["ig4", "half"]\nseeds = 2\nsize = 10\ntrainer = "share"\n'
        'benchmarks = ["quiz"]\noutput = "models"\nkeep_checkpoints = true\n'
        "[ablate.factors]\nquiz = 1.0\n"
        "[ablate.arms.half]\nsize = 5\n"
        "[trainers.share]\nnoise = 0.0\n"
    )
    report = json_of(ig4("ablate", "-q", "--json"))
    assert {one["arm"]: one["samples"] for one in report["outcomes"]} == {"ig4": 10, "half": 5}
    assert report["factors"] == {"quiz": 1.0}
    assert len(list(Path("models/set").glob("*/share.json"))) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--benchmarks", "quizz"], "did you mean quiz"),
        (["--arms", "ig5"], "did you mean ig4"),
        (["-o", "share.nosie=1"], "share.nosie: unknown option; did you mean noise?"),
        (["-o", "other.x=1"], "'other' is not used here"),
        (["--arms", "single:clip"], "there is no scorer 'clip'"),
    ],
)
def test_wrong_requests_are_refused_in_a_line(ig4, flags, message):
    done = ig4("ablate", *QUIZ, *flags)
    assert message in str(done.exception)


def test_while_one_is_at_work_another_is_refused(ig4):
    from ig4.core.engine.ablating.cells.checkpoints import exclusive

    with exclusive(Path("ablations/set")):
        done = ig4("ablate", *QUIZ, "--seeds", 1, "-q")
    assert "another `ig4 ablate` trains in ablations/set" in str(done.exception)
    assert ig4("ablate", *QUIZ, "--seeds", 1, "-q").exit_code == 0


def test_the_library_does_the_same(ig4):
    done = library.ablate(
        benchmarks={"quiz": {}}, trainer="share", options={"noise": 0.0}, arms=["all", "ig4"],
        seeds=2, size=10, select={"selector": "topk"},
    )  # fmt: skip
    assert (done.done, done.report.tables[0].rows[1].cells[0].mean) == (4, 100.0)
