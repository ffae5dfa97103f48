"""What `ig4 check` prints, and what scoring says of the scores that it computed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli

ROWS = [
    {"id": f"s{n}", "instruction": "What?", "answer": "word " * (n % 9 + 1) + f"no {n}"}
    for n in range(40)
]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command where forty samples are in the database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    run("ingest", "rows.jsonl")
    return run


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_each_column_has_a_row_a_verdict_and_reasons(ig4):
    ig4("score", "--scorers", "length", "--no-check")
    shown = ig4("check").stdout
    assert "0.50 (" in shown
    assert "length: careful\n  it does not look at the pair: " in shown
    assert "percent scale depends on the other samples" in shown
    told = json_of(ig4("check", "length", "--json"))
    assert told["fresh"] == []
    assert told["columns"]["length"]["separation"]["sees"] == "answer"
    assert told["columns"]["length"]["pool_dependent"] is True


def test_scoring_says_what_it_found_and_only_of_what_it_computed(ig4):
    done = ig4("score", "--scorers", "length")
    assert "check: length careful (" in done.stdout
    assert "check:" not in ig4("score", "--scorers", "length").stdout
    assert ig4("query", "SELECT name FROM checkups", "--csv").stdout.split() == ["name", "length"]


@pytest.mark.parametrize("how", ["flag", "file"])
def test_it_can_be_switched_off(ig4, how):
    if how == "file":
        Path("ig4.toml").write_text("[run]\ncheck = false\n")
    flags = ["--no-check"] if how == "flag" else []
    told = json_of(ig4("score", "--scorers", "length", "--json", *flags))
    assert "check" not in told
    run = ("run", "--scorers", "length", "--clusterer", "none", "--size", "3", "--out", "x.json")
    assert "check" not in json_of(ig4(*run, "--json", *flags))
    assert ig4("query", "SELECT name FROM checkups", "--csv").stdout.split() == ["name"]


def test_a_run_tells_it_among_its_facts(ig4):
    run = ("run", "--scorers", "length", "--clusterer", "none", "--size", "3", "--out", "x.jsonl")
    assert "check" in ig4(*run).stdout
    assert json_of(ig4("check", "--json"))["fresh"] == []


def test_a_wrong_name_is_a_usage_error(ig4):
    ig4("score", "--scorers", "length")
    wrong = ig4("check", "lenght")
    assert "no scores called 'lenght'; did you mean length?" in str(wrong.exception)


def test_the_database_check_knows_what_was_found(ig4):
    ig4("score", "--scorers", "length")
    assert json_of(ig4("db", "check", "--json"))["verified"]["checkups"] == 1


def test_a_data_set_given_as_a_scorer_is_told_with_the_command_that_is_meant(ig4):
    ig4("score", "--scorers", "length", "--no-check")
    told = "rows is a data set, and `ig4 check` takes names of scores: `ig4 check --dataset rows`"
    assert told in str(ig4("check", "rows").exception)
    ig4("ingest", "rows.jsonl", "--name", "again")
    refused = ig4("check", "rows").exception
    assert told in str(refused)
    assert refused.exit_code == 2
    assert "holds 2 data sets" in str(ig4("check", "length").exception)
    assert "no scores called 'rows'" in str(ig4("check", "rows", "--dataset", "rows").exception)
