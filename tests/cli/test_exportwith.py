"""`ig4 export --with`, and the way back: the export is a data set whose scores can be imported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    rows = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(6)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    run("ingest", "rows.jsonl")
    run("score", "--scorers", "length", "--no-check")
    run("select", "--size", "3", "--selector", "topk", "--clusters", "none")
    return run


def test_an_export_with_scores_goes_back_into_another_database(ig4):
    done = ig4("export", "out/best.jsonl", "--with", "scores,rank", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["beside"] == [str(Path("out/README.md").absolute())]
    other = ("--db", "other.db")
    assert ig4("ingest", "out/best.jsonl", *other).exit_code == 0
    taken = ig4("import-scores", "out/best.jsonl", "--as", "clip", "--column", "ig4.scores.length",
                *other)  # fmt: skip
    assert taken.exit_code == 0, (taken.output, taken.exception)
    sql = "SELECT external_id, clip FROM scores_wide ORDER BY clip"
    rows = json.loads(ig4("query", sql, "--json", *other).stdout)
    assert [row["external_id"] for row in rows] == ["s3", "s4", "s5"]


def test_a_card_can_be_asked_for_and_left_away(ig4):
    ig4("export", "a/best.jsonl", "--card")
    assert Path("a/README.md").exists()
    ig4("export", "b/best.jsonl", "--with", "rank", "--no-card")
    assert not Path("b/README.md").exists()


def test_what_is_misspelled_is_refused(ig4):
    refused = ig4("export", "out/best.jsonl", "--with", "rang")
    assert refused.exit_code != 0
    assert "did you mean rank?" in str(refused.exception)
    assert not Path("out/best.jsonl").exists()
