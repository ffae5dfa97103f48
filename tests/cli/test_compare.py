"""What `ig4 compare` prints, and what pinned samples do to a selection at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import ig4
from ig4.cli.main import cli

ROWS = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * (n + 1)} for n in range(8)]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command where eight samples have `length`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    def command(*arguments):
        return CliRunner().invoke(cli, list(map(str, arguments)))

    command("ingest", "rows.jsonl")
    command("score", "--scorers", "length", "-o", "length.unit=words")
    return command


def choose(run, *flags):
    done = run("select", "--clusters", "none", "--size", "3", *flags, "--json")
    assert done.exit_code == 0, done.exception
    return [one["id"] for one in json.loads(done.stdout)["selected"]]


def test_two_selections_are_compared_in_the_terminal_as_json_and_in_python(run):
    choose(run, "--name", "best")
    choose(run, "--scale", "minmax", "--selector", "random", "--seed", "1")
    shown = run("compare", "best", "--top", "1").stdout
    assert "selection 1 (best): 3 of 8 samples of rows by quota" in shown
    assert "Settings that differ:" in shown
    assert "why not in B" in shown
    told = json.loads(run("compare", "best", "2", "--json").stdout)
    assert told["a"]["name"] == "best"
    assert told == ig4.compare("best", 2).to_dict()
    changes = {one["key"]: (one["a"], one["b"]) for one in told["settings"]}
    assert changes["selector.use"] == ("quota", "random")
    assert changes["seed"] == (42, 1)
    assert all(one["reason"] for one in told["came_in"] + told["went_out"])
    refused = run("compare", "best", "1")
    assert "the same selection" in str(refused.exception)


def test_why_a_selector_chose_others_is_told_in_words_what_rejects_it_first(run):
    choose(run, "--name", "best")
    choose(run, "--selector", "balanced", "-o", 'balanced.reject={"length": [0, 60]}')
    shown = run("compare", "best", "--top", "9").stdout
    lines = [one for one in shown.splitlines() if "balanced chose others: " in one]
    reason = lines[0].split("balanced chose others: ")[1]
    assert reason.startswith("length is above percentile 70 of its group (93.8)")
    assert "; members 8; " in reason
    assert not set(reason) & set('{}[]"_')


def test_samples_are_kept_and_dropped_by_file_and_by_query(run):
    Path("good.txt").write_text("s1\ns0\n")
    Path("bad.json").write_text('["s7"]')
    assert choose(run, "--keep", "good.txt", "--drop", "bad.json") == ["s0", "s1", "s6"]
    worse = "SELECT external_id FROM scores_wide WHERE length > 6"
    assert choose(run, "--drop-sql", worse) == ["s5", "s4", "s3"]
    best = "SELECT external_id FROM scores_wide WHERE length = 2"
    assert choose(run, "--keep-sql", best, "--pins") == ["s1", "s7", "s6"]
    flags = ("--size", "3", "--clusters", "none", "--drop", "bad.json")
    explained = run("select", *flags, "--explain", "s7")
    assert "a veto" in explained.stdout


def test_the_configuration_may_pin_samples_too(run, tmp_path):
    Path("sub").mkdir()
    Path("sub/good.txt").write_text("s1\n")
    Path("sub/ig4.toml").write_text('[select]\nkeep = "good.txt"\ndrop = ["s7", "s6"]\n')
    assert choose(run, "--config", "sub/ig4.toml") == ["s1", "s5", "s4"]
    Path("sub/ig4.toml").write_text("[select]\ndrop = [7]\n")
    refused = run("select", "--size", "3", "--clusters", "none", "--config", "sub/ig4.toml")
    assert "the list drop: rows holds no sample '7'" in str(refused.exception)
    done = ig4.select(size=3, clustering="none", keep=iter(["s2"]), drop="sub/good.txt")
    assert done.ids == ["s2", "s7", "s6"]
    assert done.config["drop"] == [{"file": "sub/good.txt", "ids": ["s1"]}]


def test_a_page_is_redacted_on_request_and_nothing_else_is(run):
    choose(run, "--name", "best")
    choose(run, "--selector", "random", "--seed", "1")
    refused = run("compare", "best", "--redact")
    assert "--redact is about the page: name one with --out" in str(refused.exception)
    assert run("compare", "best", "--redact", "--out", "page.html").exit_code == 0
    assert Path("page.html").stat().st_size > 0
