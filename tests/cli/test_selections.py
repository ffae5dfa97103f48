"""What `ig4 selections` prints, and how commands know selections by their names."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli

ROWS = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(6)]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command where six samples have `length`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    run("ingest", "rows.jsonl")
    run("score", "--scorers", "length", "-o", "length.unit=words")
    return run


def json_of(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def choose(ig4, *flags):
    return ig4("select", "--clusters", "none", "--size", "2", *flags)


def test_a_named_selection_is_listed_shown_and_exported_by_its_name(ig4):
    assert "Selection 1 (best): 2 of 6" in choose(ig4, "--name", "best", "--note", "fine").stdout
    Path("mine.toml").write_text('[select]\nselector = "topk"\n')
    made = json_of(choose(ig4, "--recipe", "./mine.toml", "--json"))
    assert (made["selection"], made["name"], made["label"]) == (2, None, "./mine.toml")
    second, first = json_of(ig4("selections", "--json"))
    assert (first["id"], first["name"], first["note"], first["size"]) == (1, "best", "fine", 2)
    assert (second["label"], second["selector"], second["dataset"]) == (
        "./mine.toml", "topk", "rows",
    )  # fmt: skip
    assert json_of(ig4("selections", "list", "--dataset", "rows", "--json")) == [second, first]
    shown = ig4("selections").stdout.splitlines()
    assert [line.split()[0] for line in shown] == ["selection", "2", "1"]
    shown = ig4("selections", "show", "best").stdout
    assert "1 (best)" in shown
    assert "2 of 6" in shown
    assert "length 0.1" in shown
    details = json_of(ig4("selections", "show", "--json"))
    assert (details["id"], details["config"]["seed"]) == (2, 42)
    assert ig4("export", "out.jsonl", "--selection", "best").exit_code == 0
    assert [json.loads(line)["id"] for line in Path("out.jsonl").read_text().splitlines()] == [
        "s5",
        "s4",
    ]


def test_a_misspelled_name_is_answered_with_a_suggestion(ig4):
    choose(ig4, "--name", "best")
    refused = ig4("export", "out.jsonl", "--selection", "bets")
    assert refused.exit_code != 0
    assert "did you mean best?" in str(refused.exception)


def test_a_selection_is_renamed_and_deleted_once_that_is_confirmed(ig4):
    choose(ig4)
    choose(ig4, "--seed", "1")
    assert "selection 1 is called good now" in ig4("selections", "rename", "1", "good").stdout
    done = json_of(ig4("selections", "rename", "good", "best", "--note", "x", "--json"))
    assert done == {"selection": 1, "old": "good", "name": "best"}
    refused = ig4("selections", "delete", "best", "2")
    assert "Delete selections 1 (best, 2 samples), 2 (2 samples)? Confirm with --yes" in str(
        refused.exception
    )
    assert json_of(ig4("selections", "delete", "best", "2", "--yes", "--json")) == {
        "deleted": [1, 2]
    }
    assert json_of(ig4("selections", "--json")) == []
    assert "ig4 select --size 200" in ig4("selections").stderr


def test_a_name_goes_with_a_selection_that_is_stored(ig4):
    refused = choose(ig4, "--name", "best", "--explain", "s1")
    assert "--explain stores none" in str(refused.exception)


def test_a_flag_before_a_subcommand_says_where_it_belongs(ig4, monkeypatch):
    assert "write --json after show" in str(ig4("selections", "--json", "show").exception)
    choose(ig4)
    monkeypatch.setenv("IG4_DB", "ig4.db")
    assert ig4("selections", "show").exit_code == 0


def test_what_was_kept_and_dropped_by_hand_is_shown(ig4):
    Path("good.txt").write_text("s0\ns1\n")
    sql = "SELECT external_id FROM samples WHERE external_id = 's5'"
    assert choose(ig4, "--size", "3", "--keep", "good.txt", "--drop-sql", sql).exit_code == 0
    shown = ig4("selections", "show").stdout
    assert "\nkept       2 samples by --keep good.txt (s0, s1)\n" in shown
    assert f"\ndropped    1 sample by --drop-sql {sql} (s5)\n" in shown
    Path("ig4.toml").write_text(
        "[select]\nkeep = " + json.dumps([f"s{n}" for n in range(5)]) + "\n"
    )
    assert choose(ig4, "--size", "5").exit_code == 0
    shown = ig4("selections", "show").stdout
    assert "kept       5 samples by the list keep (s0, s1, s2, s3, s4)\n" in shown


def test_a_long_note_is_cut_in_the_list_and_shown_whole(ig4):
    note = "word " * 60
    choose(ig4, "--name", "best", "--note", note)
    listed = ig4("selections").stdout
    assert "word…" in listed or "wor…" in listed
    assert max(map(len, listed.splitlines())) < 180
    assert note.strip() in ig4("selections", "show", "best").stdout


def test_all_is_offered_only_where_it_is_possible(ig4):
    choose(ig4, "--name", "bal")
    for command in (("selections", "show"), ("plot", "scores"), ("plot", "compare", "1")):
        told = str(ig4(*command, "all").exception)
        assert told.startswith("`all` is no selection, but all samples")
        assert "did you mean" not in told
    assert ig4("export", "all.jsonl", "--selection", "all").exit_code == 0


def test_an_empty_file_is_listed_as_no_database_and_left_as_it_is(ig4):
    Path("empty.db").touch()
    refused = ig4("selections", "--db", "empty.db")
    assert refused.exit_code != 0
    assert "There is no score database at" in str(refused.exception)
    assert Path("empty.db").stat().st_size == 0
    assert ig4("ingest", "rows.jsonl", "--db", "empty.db").exit_code == 0


def test_a_selection_that_was_made_before_is_told_to_be_the_same(ig4):
    choose(ig4, "--name", "best")
    assert "the same as selection" not in choose(ig4, "--seed", "7").stdout
    told = choose(ig4, "--name", "best", "-q").stdout
    assert (
        "It is the same as selection 1, stored again so that `last` is what was selected last; the "
        "name is that of the newest." in told
    )
    choose(ig4, "--seed", "7")
    assert "selected last.\n" in choose(ig4, "-q").stdout


def test_a_size_and_a_fraction_are_told_to_be_both_given(ig4):
    told = str(choose(ig4, "--size", "5", "--fraction", ".1").exception)
    assert told == "--size 5 and --fraction 0.1 are both given: leave one of them away"


def test_what_is_shown_makes_it_again(ig4):
    Path("ig4.toml").write_text('[select]\nkeep = ["s0"]\n')
    assert choose(ig4, "--size", "3").exit_code == 0
    shown = ig4("selections", "show").stdout
    command, rest = shown.partition("\nmake it again:\n")[2].split("\n", 1)
    heading, settings = rest.split("\n", 1)
    assert heading == "with this in selection.toml:"
    again = json.loads(ig4("selections", "show", "--json").stdout)["again"]
    assert (again["command"], again["settings"]) == (command, settings.rstrip("\n"))
    Path("selection.toml").write_text(settings)
    made = ig4(*shlex.split(command)[1:], "--json")
    assert json.loads(made.stdout)["selection"] == 1
