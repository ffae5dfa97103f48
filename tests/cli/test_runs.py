"""Runs are listed with how they ended, however that was; what is done can be logged."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from ig4.cli.main import cli
from ig4.storage.store import Store

from ..processes import environment

SLOW = """
import sys
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.events import RunStarted
from ig4.cli import main, session
import time

def wait(event):
    if isinstance(event, RunStarted):
        print("started", flush=True)
        time.sleep(60)

original = session.log_event
session.log_event = lambda event: (original(event), wait(event))
main.main(["ingest", "rows.jsonl", "--quiet"])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IG4_DB", raising=False)
    rows = [{"id": f"s{n}", "instruction": "What?", "answer": "word " * n} for n in range(1, 5)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def ig4(*arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)))


def listed():
    return json.loads(ig4("runs", "--json").stdout)


def start():
    """Start a command that waits in the middle of its run."""
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    return child


def test_runs_are_listed_newest_first_and_shown_with_their_configuration(folder):
    assert ig4("ingest", "rows.jsonl").exit_code == 0
    assert ig4("score", "--scorers", "length").exit_code == 0
    assert [(run["command"], run["status"]) for run in listed()] == [
        ("score", "done"), ("ingest", "done"),
    ]  # fmt: skip
    shown = json.loads(ig4("runs", "2", "--json").stdout)
    assert shown["config"]["scorers"]["length"]["use"] == "length"
    assert "score" in ig4("runs").stdout
    assert "there is no run 9" in str(ig4("runs", "9").exception)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_a_run_as_interrupted(folder, name):
    child = start()
    child.send_signal(getattr(signal, name))
    _, printed = child.communicate(timeout=30)
    assert child.returncode == 128 + getattr(signal, name)
    assert "the same command continues from there" in printed
    assert (name in printed) == (name != "SIGINT")
    assert [run["status"] for run in listed()] == ["interrupted"]


def test_a_command_under_nohup_survives_the_terminal(folder):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        child = start()
    finally:
        signal.signal(signal.SIGHUP, before)
    child.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert child.poll() is None
    child.kill()
    child.communicate()


def test_a_killed_run_is_found_out_and_one_at_work_is_not_taken_for_it(folder):
    child = start()
    assert [run["status"] for run in listed()] == ["running"]
    child.kill()
    child.communicate()
    assert [run["status"] for run in listed()] == ["killed"]


def test_a_run_of_another_machine_or_of_an_older_ig4_stays_as_it_is(folder):
    assert ig4("ingest", "rows.jsonl").exit_code == 0
    with Store.open("ig4.db") as store, store.writing() as connection:
        connection.execute(text("UPDATE runs SET status = 'running', host = 'elsewhere'"))
    assert [run["status"] for run in listed()] == ["running"]
    with Store.open("ig4.db") as store, store.writing() as connection:
        connection.execute(text("UPDATE runs SET host = NULL, pid = NULL"))
    assert [run["status"] for run in listed()] == ["running"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_file_that_cannot_be_written_is_told_once_and_ends_nothing(folder):
    done = ig4("ingest", "rows.jsonl", "--log-file", "/dev/full")
    assert done.exit_code == 0
    assert "Traceback" not in done.stderr
    assert done.stderr.count("nothing more is written to this log") == 1


def test_a_log_file_holds_what_was_done_and_no_key(folder, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "hush-hush-hush")
    done = ig4("ingest", "rows.jsonl", "--log-file", "logs/ig4.log", "--name", "hush-hush-hush")
    assert done.exit_code == 0
    log = Path("logs/ig4.log").read_text()
    assert "run 1: ingest" in log
    assert "ingest: done: 4 samples in" in log
    assert "run 1: done" in log
    assert "hush-hush-hush" not in log


def test_verbose_logs_to_stderr_instead_of_drawing(folder):
    done = subprocess.run(
        [sys.executable, "-m", "ig4", "ingest", "rows.jsonl", "-v"],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "INFO    run 1: ingest" in done.stderr
    assert all(line[:4].isdigit() for line in done.stderr.splitlines())


def test_a_library_that_sets_up_logging_gets_no_errors_to_print(folder):
    program = (
        "import logging; logging.basicConfig(); from ig4.cli.main import main; "
        "import sys; sys.argv = ['ig4', 'ingest', 'missing.jsonl']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
