"""`ig4 report`, and the page that ends a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.errors import Ig4Error, UsageError

from ..harbour import N

ROWS = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(6)]
LENGTH = ["--scorers", "length", "--clusterer", "none", "--selector", "topk", "--size", "2"]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command in a folder with `rows.jsonl`, without charts, which take their time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    monkeypatch.setitem(sys.modules, "altair", None)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    return run


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_page_of_the_last_selection(ig4, harbour):
    done = ig4("report", "--db", harbour / "ig4.db")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"ig4-report.html: {N} of {N} samples, 62 pictures, ")
    assert "selection 4 of harbour" in Path("ig4-report.html").read_text(encoding="utf-8")


def test_what_it_wrote_as_json(ig4, harbour):
    told = json_of(ig4("report", "2", "--out", "x/two.html", "--db", harbour / "ig4.db", "--json"))
    assert told["selection"] == 2
    assert told["path"] == "x/two.html"
    assert told["bytes"] == Path("x/two.html").stat().st_size
    assert told["warnings"] == []


def test_without_images_and_redacted_it_is_smaller(ig4, harbour):
    def size(*more):
        told = ig4("report", "1", "--db", harbour / "ig4.db", "--json", "--overwrite", *more)
        return json_of(told)["bytes"]

    whole = size()
    assert size("--no-images") < whole
    assert size("--redact") < whole
    assert "ferryboat" not in Path("ig4-report.html").read_text(encoding="utf-8")


def test_a_large_data_set_is_shown_in_part(ig4, harbour, monkeypatch):
    monkeypatch.setattr("ig4.core.engine.reporting.shown.LEAST", 2)
    monkeypatch.setattr("ig4.core.engine.reporting.galleries.LENGTH", 2)
    done = ig4("report", "1", "--samples", "5", "--db", harbour / "ig4.db", "--json")
    told = json_of(done)
    assert told["samples"] == N
    assert 12 < told["shown"] < N


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["9"], "there is no selection 9"),
        (["nowhere"], "nowhere"),
        (["--space", "nowhere"], "nowhere"),
        (["--map", "umap"], "umap"),
        (["--out", "rows.jsonl"], "rows.jsonl"),
    ],
)
def test_what_cannot_be_done_is_a_message(ig4, harbour, arguments, message):
    done = ig4("report", *arguments, "--db", harbour / "ig4.db")
    assert isinstance(done.exception, (Ig4Error, SystemExit))
    assert message in (done.output + str(done.exception))
    assert Path("rows.jsonl").read_text().startswith('{"id"')


def test_without_a_selection_the_next_command_is_named(ig4):
    ig4("ingest", "rows.jsonl")
    done = ig4("report")
    assert isinstance(done.exception, UsageError)
    assert "run `ig4 select" in str(done.exception)


def test_a_run_ends_with_its_page(ig4):
    done = ig4("run", "rows.jsonl", *LENGTH, "--out", "best.jsonl")
    assert done.exit_code == 0, done.output
    assert Path("best-report.html").is_file()
    assert "best-report.html" in done.stdout


def test_a_run_tells_its_page_as_json_and_leaves_one_that_is_current(ig4):
    first = json_of(ig4("run", "rows.jsonl", *LENGTH, "--out", "best.jsonl", "--json"))
    assert first["page"].endswith("best-report.html")
    made = Path("best-report.html").stat().st_mtime_ns
    again = json_of(ig4("run", "rows.jsonl", *LENGTH, "--out", "best.jsonl", "--json"))
    assert again["page"] == first["page"]
    assert Path("best-report.html").stat().st_mtime_ns == made
    other = [*LENGTH[:-1], "3"]
    json_of(ig4("run", "rows.jsonl", *other, "--out", "best.jsonl", "--overwrite", "--json"))
    assert Path("best-report.html").stat().st_mtime_ns != made


def test_a_run_without_a_page(ig4):
    told = json_of(
        ig4("run", "rows.jsonl", *LENGTH, "--out", "best.jsonl", "--no-report", "--json")
    )
    assert told["page"] is None
    assert not Path("best-report.html").exists()


@pytest.mark.parametrize("there", ["a file of somebody else", "a folder"])
def test_a_page_that_cannot_be_written_does_not_fail_the_run(ig4, there):
    page = Path("best-report.html")
    page.mkdir() if there == "a folder" else page.write_text("mine")
    done = ig4("run", "rows.jsonl", *LENGTH, "--out", "best.jsonl", "--json")
    assert json_of(done)["page"] is None
    assert "no page about the selection was written" in done.stderr
    assert Path("best.jsonl").is_file()
    assert page.is_dir() or page.read_text() == "mine"
