"""Runs on machines whose clocks disagree share the work: nothing is paid twice."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from ig4.core.calls import ledger, worker
from ig4.core.calls.settings import CallSettings
from ig4.core.calls.worker import uptime
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store

from ...storage.conftest import location as location
from ...storage.conftest import postgres as postgres
from ...storage.conftest import template as template
from ..conftest import record

SCRIPT = Path(__file__).with_name("elsewhere.py")
DAYS = 3 * 86_400
SAMPLES = 60


@pytest.fixture
def asked(tmp_path, monkeypatch, plugin):
    """What the service was asked, by whichever process."""
    log = tmp_path / "asked.txt"
    log.touch()
    monkeypatch.setenv("COUNTING_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", f"{plugin}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return lambda: log.read_text().splitlines()


@pytest.fixture
def dataset(location, folder, asked):
    """A data set in a new database."""
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(SAMPLES)))
    with Store.open(location) as store:
        return ingest(Session(store, Host.discover()), DatasetSource(folder.path)).dataset


@pytest.fixture
def elsewhere(location, dataset):
    """Start scoring as on another machine; its clock is so many seconds wrong."""
    started = []

    def start(host, seconds, pause):
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), location, host, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"COUNTING_PAUSE": str(pause)},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def go(process, asked):
    """Have a process begin, and wait until it asks."""
    before = len(asked())
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    while len(asked()) < before + 4 and process.poll() is None:
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("host", ["this", "another"])
def test_clocks_that_are_days_apart_make_nobody_pay_twice(elsewhere, asked, host):
    processes = [elsewhere("this", 0, 0.2), elsewhere(host, DAYS, 0.2)]
    for process in processes:
        go(process, asked)
    done = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(done) >= SAMPLES
    assert len(asked()) == len(set(asked())) == SAMPLES


@pytest.mark.slow
def test_what_a_killed_process_elsewhere_held_is_taken_over_once_its_silence_is_seen(
    elsewhere, asked, dataset, location, monkeypatch
):
    monkeypatch.setattr(worker, "SILENCE", 2.0)
    for module in (ledger, worker):
        monkeypatch.setattr(module, "BEAT_SECONDS", 0.5)
    process = elsewhere("another", DAYS, 3600)
    go(process, asked)
    process.kill()
    with Store.open(location) as store:
        request = ScoreRequest([Choice("scorer", "asking")])
        done = score(Session(store, Host.discover()), dataset, request)
    assert done.done == {"asking": SAMPLES}
    assert len(asked()) == SAMPLES + 4


@pytest.fixture
def service(session):
    """The service, in this process."""
    session.host.load("scorer", "asking")
    return sys.modules["counting.service"].world


def test_who_slept_so_long_that_its_requests_are_anothers_asks_first(
    session, folder, service, monkeypatch
):
    folder.write(record("s0", "one"), record("s1", "three"))
    dataset = ingest(session, DatasetSource(folder.path)).dataset

    def sleep():
        """Sleep, in which another process replies to all that this one has claimed."""
        monkeypatch.setattr(ledger, "uptime", lambda: uptime() + DAYS)
        taken = "worker = NULL, state = 'done', reply = '7', input_tokens = 1, output_tokens = 1"
        with session.store.writing() as connection:
            connection.execute(text("DELETE FROM llm_workers"))
            connection.execute(text(f"UPDATE llm_calls SET {taken}"))

    service.on_first = sleep
    choice, settings = Choice("scorer", "asking"), CallSettings(concurrency=1)
    done = score(session, dataset, ScoreRequest([choice], call_settings=settings))
    assert done.done == {"asking": 2}
    assert len(service.asked) == 1
