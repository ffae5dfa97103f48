"""Files that commands write where the user says: nothing of the user's is replaced unasked."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

from ig4.cli.main import cli
from ig4.core.errors import UsageError
from ig4.core.files.writing.staging import staged_file

from ..core.conftest import Folder, record

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


def run(*arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a database of one data set, and a file that nobody may touch."""
    monkeypatch.chdir(tmp_path)
    folder = Folder(tmp_path / "set")
    folder.picture("a.png", (1, 2, 3))
    folder.write(record("a", "yes", "a.png"), record("b", ""), record("c", "no"))
    assert run("ingest", folder.path, "-q").exit_code == 0
    (tmp_path / "precious").write_text("precious")
    return tmp_path


def test_init_follows_no_link(here):
    (here / "ig4.toml").symlink_to(here / "elsewhere")
    assert "--force" in str(run("init").exception or run("init").output)
    assert not (here / "elsewhere").exists()
    (here / "ig4.toml").unlink()
    (here / "ig4.toml").symlink_to(here / "precious")
    assert run("init").exit_code != 0
    assert run("init", "--force").exit_code == 0
    assert (here / "precious").read_text() == "precious"
    assert not (here / "ig4.toml").is_symlink()


def test_a_backup_follows_no_link(here):
    (here / "copy.db").symlink_to(here / "elsewhere.db")
    done = run("db", "backup", "copy.db")
    assert done.exit_code != 0
    assert not (here / "elsewhere.db").exists()
    assert run("db", "backup", "folder/copy.db").exit_code == 0
    done = run("db", "backup", "precious/copy.db")
    assert "cannot be written" in str(done.exception)


def test_one_file_is_replaced_only_if_ig4_wrote_it(here):
    for _ in range(2):
        with staged_file(here / "table.md") as file:
            file.write_text("| a |")
    (here / "table.md").write_text("edited")
    with pytest.raises(UsageError, match="changed since"), staged_file(here / "table.md") as file:
        file.write_text("| a |")
    assert (here / "table.md").read_text() == "edited"
    with staged_file(here / "table.md", overwrite=True) as file:
        file.write_text("| a |")
    assert (here / "table.md").read_text() == "| a |"


def test_answers_are_not_written_through_a_link(here):
    (here / "q.jsonl").write_text(json.dumps({"id": 1, "question": "What?"}) + "\n")
    (here / "a.jsonl").symlink_to(here / "elsewhere.jsonl")
    done = run("generate", "--trainer", "hf", "--questions", "q.jsonl", "--out", "a.jsonl")
    assert "is a link to" in str(done.exception)
    assert not (here / "elsewhere.jsonl").exists()
    done = run(
        "generate", "--trainer", "hf", "--questions", "q.jsonl", "--out", "q.jsonl", "--overwrite"
    )
    assert "holds the questions" in str(done.exception)


def test_a_demo_removes_nothing_of_the_users(here):
    (here / "data" / "images").mkdir(parents=True)
    (here / "data" / "notes.txt").write_text("mine")
    (here / "data" / "llava.json").write_text("mine")
    done = run("demo", "--folder", here, "--samples", "40", "-q")
    assert "was not written by ig4" in str(done.exception)
    assert (here / "data" / "notes.txt").read_text() == "mine"
    assert (here / "data" / "llava.json").read_text() == "mine"


def test_an_export_says_what_it_did(here):
    done = run("export", "out", "--selection", "all", "--json", "-q")
    facts = json.loads(done.output)
    assert (facts["samples"], facts["linked_images"], facts["copied_images"]) == (2, 1, 0)
    assert facts["left_out"] == {"the answer is empty": 1}
    assert not (here / "out" / "a.png").readlink().is_absolute()
    told = run("export", "best", "--selection", "all", "--for", "llamafactory", "-q").output
    assert "1 image copied" in told
    assert "1 sample left out (1: the answer is empty)" in told
    assert not (here / "best" / "a.png").is_symlink()
    rows = json.loads((here / "best" / "data.json").read_text())
    assert [row["id"] for row in rows] == ["a", "c"]


def test_a_run_refuses_its_output_before_it_computes_anything(here):
    done = run("run", "set/llava.json", "--scorers", "length", "--clusterer", "none",
               "--selector", "topk", "--size", "1", "--out", "precious.txt", "-q")  # fmt: skip
    assert "no format is written as .txt files" in str(done.exception)
    (here / "best.json").write_text("mine")
    arguments = ["run", "set/llava.json", "--scorers", "length", "--clusterer", "none",
                 "--selector", "topk", "--size", "1", "--out", "best.json", "-q"]  # fmt: skip
    assert "was not written by ig4" in str(run(*arguments).exception)
    assert run("query", "SELECT count(*) AS n FROM scores", "--json").output.count('"n": 0') == 1
    assert run(*arguments, "--overwrite").exit_code == 3  # one sample has no answer
    assert run(*arguments).exit_code == 3
    assert len(json.loads((here / "best.json").read_text())) == 1
