"""What `ig4 select --explain` prints, and what its words mean."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ig4.cli.main import cli

N = 6


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command where six samples have `length`, in clusters of four and two."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    rows = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(N)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("parts.json").write_text(json.dumps({"4": ["s0", "s1", "s2", "s3"], "7": ["s4", "s5"]}))

    def run(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    run("ingest", "rows.jsonl")
    run("score", "--scorers", "length")
    run("import-clusters", "parts.json", "--as", "given")
    return run


def json_of(done):
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def test_a_place_is_counted_in_the_cluster_only_where_clusters_count(ig4):
    asked = ("select", "--size", "3", "--explain", "s3", "--selector")
    assert "place 3 of 6 in the data set, quota 3" in ig4(*asked, "topk").stdout
    assert "place 1 of 4 in cluster 4, quota 2" in ig4(*asked, "quota").stdout
    told = [json_of(ig4(*asked, name, "--json")) for name in ("topk", "quota")]
    assert [one["counted_in"] for one in told] == ["data set", "cluster"]
    assert [one["cluster"] for one in told] == [4, 4]


def test_clusters_that_do_not_count_are_not_among_the_settings(ig4):
    for selector, clusters in (("topk", "no clusters"), ("quota", "clusters given")):
        ig4("select", "--size", "3", "--selector", selector)
        assert f"paper scale; {clusters}" in ig4("select", "--explain", "s3").stdout


def test_a_selection_without_scores_names_no_scale_and_prints_no_table(ig4):
    ig4("select", "--size", "3", "--selector", "random")
    told = ig4("select", "--explain", "s3").stdout
    assert "3 of 6 samples by random, without scores; no clusters\n" in told
    assert "percent" not in told
    assert "scorer" not in told


@pytest.fixture
def points(ig4):
    """Six points on a line, as the space `points`."""
    np.save("v.npy", np.array([[n, 1.0] for n in range(N)], dtype=np.float32))
    done = ig4("import-vectors", "v.npy", "--as", "points")
    assert done.exit_code == 0, (done.output, done.exception)


def test_samples_that_a_selector_speaks_of_are_named_by_their_ids(ig4, points):
    asked = ("select", "--size", "2", "--selector", "k-center", "-o", "k-center.space=points")
    taken = [one["id"] for one in json_of(ig4(*asked, "--json"))["selected"]]
    other = next(name for name in ("s1", "s2") if name not in taken)
    told = json_of(ig4(*asked, "--explain", other, "--json"))["details"]
    assert told["nearest"] in taken
    assert "nearest_row" not in told
    assert f"nearest   {told['nearest']}" in ig4(*asked, "--explain", other).stdout


def test_what_a_selector_does_not_know_is_not_printed(ig4, points):
    asked = ("select", "--size", "1", "--selector", "repr-filter", "-o",
             "repr-filter.space=points", "--explain", "s0")  # fmt: skip
    assert json_of(ig4(*asked, "--json"))["details"]["threshold"] is None
    told = ig4(*asked).stdout
    assert "reached" in told
    assert "None" not in told
    assert "threshold" not in told


def test_the_sample_its_neighbours_and_what_would_do_are_printed(ig4):
    told = ig4("select", "--size", "3", "--selector", "topk", "--explain", "s2").stdout
    assert "question  What?\nanswer    word word word\n" in told
    lines = [line.split() for line in told.splitlines()]
    assert ["3", "s3", "yes", "6.6667", "word", "word", "word", "word"] in lines
    assert ["4", "s2", "no", "5", "(this", "one)"] in lines
    assert "To get in:\n- length would have to rise by 16.6667 points, from 50 to 66.6667\n" in told
    assert "- a selection of 4 takes it (--size 4)\n" in told


def test_long_texts_are_shortened_on_the_terminal_and_whole_in_json(ig4):
    Path("long.jsonl").write_text(json.dumps(
        {"id": "a", "instruction": "What?", "answer": "x" * 1400}) + "\n")  # fmt: skip
    ig4("ingest", "long.jsonl")
    asked = ("select", "--dataset", "long", "--selector", "random", "--size", "1", "--explain", "a")
    assert f"answer    {'x' * 400}… (1,000 more characters)\n" in ig4(*asked).stdout
    assert json_of(ig4(*asked, "--json"))["sample"]["answer"] == "x" * 1400


def test_a_conversation_is_shown_with_its_turns(ig4):
    turns = [("human", "One?"), ("gpt", "Yes."), ("human", "Two?"), ("gpt", "No.")]
    talk = [{"from": role, "value": text} for role, text in turns]
    Path("talk.json").write_text(json.dumps([{"id": "a", "conversations": talk}]))
    ig4("ingest", "talk.json")
    asked = ("select", "--dataset", "talk", "--selector", "random", "--size", "1", "--explain", "a")
    told = ig4(*asked).stdout
    assert "conversation  user: One?\n              assistant: Yes.\n" in told
    assert [turn[1] for turn in json_of(ig4(*asked, "--json"))["sample"]["turns"]] == [
        "One?", "Yes.", "Two?", "No.",
    ]  # fmt: skip


def test_places_that_are_left_out_between_neighbours_are_marked(ig4):
    rows = [{"id": f"r{n:02d}", "instruction": "Q?", "answer": "w " * (n + 1)} for n in range(20)]
    Path("many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ig4("ingest", "many.jsonl")
    ig4("score", "--dataset", "many", "--scorers", "length")
    told = ig4("select", "--dataset", "many", "--selector", "topk", "--size", "5",
               "--explain", "r02").stdout  # fmt: skip
    places = [line.split()[0] for line in told.splitlines() if line[:5].strip(" …0123456789") == ""
              and line.strip()]  # fmt: skip
    assert places == ["3", "4", "5", "6", "7", "8", "…", "15", "16", "17", "18", "19", "20"]


def test_control_characters_of_a_data_set_are_not_printed(ig4):
    Path("bad.jsonl").write_text(json.dumps(
        {"id": "a", "instruction": "\x1b[31mred", "answer": "\x9bx"}) + "\n")  # fmt: skip
    ig4("ingest", "bad.jsonl")
    told = ig4("select", "--dataset", "bad", "--selector", "random", "--size", "1", "--explain",
               "a").stdout  # fmt: skip
    assert "\x1b" not in told
    assert "\x9b" not in told
