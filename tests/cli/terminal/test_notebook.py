"""Who sees the progress of the library: people at terminals and in notebooks, and nobody else."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from ig4.cli.terminal.notebook import NotebookProgress, in_notebook, library_progress
from ig4.core.events import Notice, StageAdvanced, StageFinished, StageStarted

CODE = """
import ig4
ig4.run("rows.jsonl", scorers=["length"], size=2, cluster={{"clusterer": "none"}}{more})
"""


@pytest.fixture
def pages():
    """What is shown in a notebook, one after the other."""
    return []


@pytest.fixture
def progress(pages):
    return NotebookProgress(lambda: pages.append)


def test_nothing_is_shown_of_what_says_nothing(progress, pages):
    progress(StageStarted("ingest", 3))
    progress(StageAdvanced("unknown", 1))
    progress(StageFinished("ingest"))
    assert pages == []


def test_notices_and_what_is_at_work_are_shown_in_one_place(progress, pages):
    progress(StageStarted("score", 8))
    progress(Notice("<b>look</b>"))
    progress(StageAdvanced("score", 4, failed=1))
    progress._last = 0.0
    progress(StageAdvanced("score", 2))
    assert "note: &lt;b&gt;look&lt;/b&gt;" in pages[0]
    assert "score: 6 of 8 samples, 1 failed" in pages[-1]
    assert "note:" in pages[-1]


def test_a_stage_that_took_its_time_leaves_a_line(progress, pages):
    progress(StageStarted("score", 8))
    progress.stages["score"].since -= 60
    progress(StageAdvanced("score", 8))
    progress(StageFinished("score"))
    assert "✓ score: 8 samples in 0:01:00" in pages[-1]


def test_where_nobody_looks_nothing_is_printed(capsys):
    assert not in_notebook()
    with library_progress() as listener:
        listener(Notice("unheard"))
    assert capsys.readouterr() == ("", "")


def run(folder, more, **streams):
    rows = [{"id": f"s{n}", "instruction": "Q?", "answer": "w " * n} for n in range(1, 6)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-c", CODE.format(more=more)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, **streams)


def on_a_terminal(folder, more):
    """Return what a script writes to a terminal, and its exit code."""
    ours, theirs = pty.openpty()
    process = run(folder, more, stderr=theirs)
    os.close(theirs)
    told = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        told += piece
    os.close(ours)
    return told.decode(errors="replace"), process.wait(timeout=60)


@pytest.mark.slow
def test_a_script_shows_bars_on_a_terminal_unless_told_not_to(tmp_path):
    told, code = on_a_terminal(tmp_path, "")
    assert code == 0
    assert "ingest" in told
    assert on_a_terminal(tmp_path, ", progress=False") == ("", 0)


@pytest.mark.slow
def test_a_script_is_silent_where_stderr_is_no_terminal(tmp_path):
    process = run(tmp_path, "", stderr=subprocess.PIPE)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
