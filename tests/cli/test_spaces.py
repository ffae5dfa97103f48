"""`ig4 score --spaces` and `ig4 cluster --space`, as one types them."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.errors import UsageError

ANSWERS = ["what is this", "what is that", "how many cups", "how many cats", "where is it", ""]


@pytest.fixture
def ig4(tmp_path, monkeypatch):
    """Run a command in a folder with a database of six samples without images."""
    monkeypatch.chdir(tmp_path)
    rows = [{"id": n, "instruction": f"q {n}", "answer": a} for n, a in enumerate(ANSWERS)]
    (tmp_path / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(*words, code=0):
        done = CliRunner().invoke(cli, [*words, "-q"])
        assert done.exit_code == code, done.output
        return done.stdout

    run("ingest", "set.jsonl", "--format", "jsonl")
    return run


def test_a_space_is_computed_and_clustered_in(ig4):
    pytest.importorskip("sklearn")
    options = ("-o", "text.reads=answer", "-o", "text.dims=4")
    told = json.loads(ig4("score", "--spaces", "text", *options, "--json", code=3))
    assert told["spaces"] == {"text": {"without": 1}}
    assert told["scored"] == {}
    words = ("cluster", "--space", "text", "--clusterer", "kmeans", "--k", "3", "--json")
    done = json.loads(ig4(*words))
    assert sorted(done["sizes"].values()) == [1, 2, 2]
    assert (done["space"], done["left_out"], done["noise"]) == ("text", 1, 0)


def test_a_run_computes_spaces_too_and_tells_what_has_no_vector(ig4):
    options = ("-o", "text.reads=answer", "-o", "text.dims=4")
    choice = ("--scorers", "ending", "--clusterer", "none", "--selector", "topk", "--size", "2")
    told = json.loads(ig4("run", *choice, "--spaces", "text", *options, "--json", code=3))
    assert told["spaces"] == {"text": {"without": 1}}
    assert told["without_image"] == {}


def test_a_dry_run_tells_what_is_to_be_embedded(ig4):
    told = json.loads(ig4("score", "--spaces", "text", "--dry-run", "--json"))
    assert told["calls"] == {"embedder text": 6}
    assert list(told["plan"]["spaces"]) == ["text"]


def test_an_unknown_space_is_refused(ig4):
    for space in ("nothing", "text=,"):
        done = CliRunner().invoke(cli, ["cluster", "--space", space])
        assert isinstance(done.exception, UsageError)


def test_the_space_of_the_answers_is_named_by_the_command_that_the_error_tells(ig4):
    words = ("score", "--scorers", "density", "-o", "density.space=text-answer")
    failed = CliRunner().invoke(cli, [*words, "-q"]).exception
    assert isinstance(failed, UsageError)
    told = re.search(r"run `ig4 (score [^`]*)`", str(failed))
    assert told is not None
    ig4(*told[1].split(), "-o", "text-answer.dims=4", code=3)  # an answer is empty
    done = json.loads(ig4(*words, "-o", "density.k=2", "--json", code=3))
    assert done["scored"] == {"density": 5}
    assert done["embedded"] == 0
