"""What `ig4 scores` prints, and how selecting, clustering and importing treat its columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli

ROWS = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(6)]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command where six samples have `length` and, from a file, `mine`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    Path("mine.csv").write_text("id;x\n" + "".join(f"s{n};{9 - n},5\n" for n in range(6)))

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    run("ingest", "rows.jsonl")
    run("score", "--scorers", "length", "-o", "length.unit=words")
    run("import-scores", "mine.csv", "--as", "mine", "--column", "x")
    return run


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_columns_are_listed_with_origin_and_counts(ig4):
    shown = ig4("scores").stdout
    assert "ig4/length 1 (unit=words)" in shown
    assert "mine.csv (x)" in shown
    length, mine = json_of(ig4("scores", "--json"))["scores"]
    assert (length["values"], length["minimum"], length["maximum"]) == (6, 1, 6)
    assert (mine["imported"], mine["origin"]["column"]) == (True, "x")


def test_a_column_is_renamed_and_dropped_once_that_is_confirmed(ig4):
    assert "is called own now" in ig4("scores", "rename", "mine", "own").stdout
    refused = ig4("scores", "drop", "own")
    assert "Confirm with --yes" in str(refused.exception)
    assert json_of(ig4("scores", "drop", "own", "--yes", "--json"))["deleted"] == 6
    assert [row["name"] for row in json_of(ig4("scores", "--json"))["scores"]] == ["length"]


def test_the_weights_of_the_command_line_are_all_also_over_a_file(ig4):
    Path("ig4.toml").write_text("[select.weights]\nlength = 0.3\nmine = 0.7\n")
    flags = ("select", "--size", "2", "--clusters", "none", "--json")
    assert json_of(ig4(*flags))["config"]["weights"] == {"length": 0.3, "mine": 0.7}
    one = json_of(ig4(*flags, "--weights", "mine=1"))
    assert one["config"]["weights"] == {"mine": 1.0}


def test_a_configured_clusterer_of_none_means_one_cluster(ig4):
    Path("ig4.toml").write_text('[cluster]\nclusterer = "none"\n')
    assert json_of(ig4("select", "--size", "2", "--json"))["config"]["clustering"] is None
    assert "there is nothing to cluster" in str(ig4("cluster").exception)
    run = ("run", "--scorers", "length", "--size", "2")
    assert "clusters   none" in ig4(*run, "--dry-run").stdout
    assert json_of(ig4(*run, "--json"))["config"]["clustering"] is None


def test_the_last_selection_is_explained_unless_another_is_asked_for(ig4):
    flags = ("--clusters", "none", "--weights", "length=1")
    made = json_of(ig4("select", "--size", "4", *flags, "--json"))
    told = ig4("select", "--explain", "s2").stdout
    assert "in selection 1: 4 of 6 samples by quota; length 1; paper scale; no clusters" in told
    assert "s2: selected, rank 4" in told
    assert json_of(ig4("select", "--explain", "s2", "--json"))["selection"] == made["selection"]
    other = json_of(ig4("select", "--explain", "s2", "--size", "3", *flags, "--json"))
    assert (other["selection"], other["selected"]) == (None, False)


def test_options_of_scores_are_used_by_the_next_run(ig4):
    run = ("run", "--scorers", "length", "--size", "2", "--clusterer", "none", "--json")
    done = ig4(*run)
    assert json_of(done)["components"]["length"] == {"unit": "words"}
    assert "were made with unit=words, which is used" in done.stderr


def test_an_import_takes_the_place_of_others_only_when_asked(ig4):
    flags = ("import-scores", "mine.csv", "--as", "length", "--column", "x")
    refused = ig4(*flags)
    assert "has 6 length scores already, computed by ig4/length" in str(refused.exception)
    report = json_of(ig4(*flags, "--replace", "--json"))
    assert (report["taken"], report["empty"], report["not_finite"]) == (6, 0, 0)


def test_outputs_are_listed_with_their_scorer_select_where_named_and_go_with_it(ig4, llm_server):
    pytest.importorskip("openai")
    done = ig4("score", "--scorers", "deita", "--quiet")
    assert done.exit_code == 0, done.output
    told = {one["name"]: one for one in json_of(ig4("scores", "--json"))["scores"]}
    assert told["deita"]["outputs"] == ["deita.complexity", "deita.quality"]
    assert told["deita.quality"]["output_of"] == "deita"
    assert "output of deita" in ig4("scores").stdout
    select = ("select", "--size", "2", "--selector", "topk", "--clusters", "none", "--json")
    weights = {
        given: list(json_of(ig4(*select, *given.split()))["config"]["weights"])
        for given in ("", "--scorers deita.quality,length", "--weights deita.complexity=1")
    }
    assert weights == {
        "": ["deita", "length", "mine"],
        "--scorers deita.quality,length": ["deita.quality", "length"],
        "--weights deita.complexity=1": ["deita.complexity"],
    }
    refused = ig4("scores", "drop", "deita.quality", "--yes")
    assert "is an output of deita, and shares its fate" in str(refused.exception)
    dropped = ig4("scores", "drop", "deita", "--yes").stdout
    assert "with its outputs deita.complexity, deita.quality: 18 results deleted" in dropped
    assert "7 replies remain in the ledger" in dropped  # the instruction is the same in all
    assert ig4("score", "--scorers", "deita", "--quiet").exit_code == 0
    assert len(llm_server.calls()) == 7


STALE = "given-again was computed of a pool that has changed since"


def test_scores_of_a_pool_that_has_changed_are_told_wherever_they_are_shown(ig4):
    ig4("score", "--scorers", "given-again", "--no-check")
    assert not any(STALE in ig4(command).stderr for command in ("scores", "groups", "check"))
    told = {one["name"]: one["stale"] for one in json_of(ig4("scores", "--json"))["scores"]}
    assert told == {"given-again": False, "length": False, "mine": False}
    more = [*ROWS, {"id": "s6", "instruction": "Where?", "answer": "There."}]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in more))
    ig4("ingest", "rows.jsonl")
    for command in (("scores",), ("groups", "--by", "form", "-o", "form.min_size=1"), ("check",)):
        done = ig4(*command)
        assert done.exit_code == 0, (done.output, done.exception)
        assert done.stderr.count(STALE) == 1
    assert STALE not in ig4("check", "length").stderr
    told = {one["name"]: one["stale"] for one in json_of(ig4("scores", "--json"))["scores"]}
    assert told == {"given-again": True, "length": False, "mine": False}
