"""Several processes on one database: everything is computed once, whoever is killed."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from ig4.storage.integrity.check import check_database
from ig4.storage.store import Store
from ig4.storage.vectors.placing import move_into

from .....forking import Forked
from .....postgresserver import programs, running
from .....storage.conftest import location as location
from .....storage.conftest import postgres as postgres
from .....storage.conftest import template as template
from ....conftest import install, picture, record
from .conftest import claims_left, computations, install_tallies, stored, times

SAMPLES, BATCH = 240, 4

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a signal"),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with the plugin (`site`) and a data set (`set`)."""
    folder = tmp_path_factory.mktemp("processes")
    install_tallies(install(folder / "site"))
    records = []
    for n in range(SAMPLES):
        picture(folder / "set" / f"{n // 2}.png", "red", (n // 2 + 1, 4))
        answer = "refuse" if n == 17 else "word " * (n % 13 + 1)
        records.append(record(f"s{n:03d}", answer, f"{n // 2}.png"))
    (folder / "set" / "llava.json").write_text(json.dumps(records), encoding="utf-8")
    return folder


def start(data: Path, db: object, log: Path, *more: str, pause: float = 0.0, silence: float = 60.0):
    """Start `ig4 score` in a process."""
    options = [f"log={log}", f"pause={pause}", f"batch={BATCH}", f"silence={silence}"]
    given = [
        argument
        for one in options
        for argument in ("-o", f"tallied.{one}", "-o", f"looked.{one.replace(f'{log}', f'{log}2')}")
    ]
    command = ["score", "--scorers", "tallied,looked", "--no-check", *given, *more]
    return Forked(*command, "--db", db, cwd=data, site=data / "site")


def ingest(data: Path, db: object) -> None:
    process = Forked("ingest", data / "set", "--db", db, cwd=data, site=data / "site")
    assert process.wait(60) == 0


def finish(*processes: Forked) -> list[str]:
    """Wait for processes that end as they should; returns what each wrote to stderr.

    One sample fails, so the exit code is that of partial results.
    """
    told = [process.communicate(timeout=120) for process in processes]
    codes = [process.returncode for process in processes]
    assert codes == [3] * len(codes), told
    return [err for _, err in told]


def begun(log: Path, count: int) -> None:
    """Wait until so many batches were begun."""
    limit = time.monotonic() + 60
    while len(computations(log)) < count:
        assert time.monotonic() < limit, "nothing goes on"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """What a lone run stores, and the names of its batches, by log."""
    folder = tmp_path_factory.mktemp("alone")
    log = folder / "log"
    ingest(data, folder / "ig4.db")
    finish(start(data, folder / "ig4.db", log))
    return stored(folder / "ig4.db"), [set(times(one)) for one in logs(log)]


def logs(log: Path) -> list[Path]:
    """The logs of both scorers and of the embedder."""
    return [log, Path(f"{log}2"), Path(f"{log}2-images")]


@pytest.mark.postgres
@pytest.mark.parametrize("where", ["database", "files"])
def test_four_processes_of_which_two_are_killed_compute_all_once_though_the_server_restarts(
    data, tmp_path, alone, where
):
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    values, batches = alone
    log = tmp_path / "log"
    with running(found) as server:
        ingest(data, server.url)
        folder = let_vectors_lie(server.url, tmp_path / "files") if where == "files" else None
        processes = [start(data, server.url, log, pause=0.1) for _ in range(4)]
        killed = []
        for count, process in ((20, processes[0]), (40, processes[1])):
            begun(log, count)
            process.send_signal(signal.SIGKILL)
            killed.append(process.process.pid)
            process.wait(10)
        begun(log, 50)
        server.stop()
        time.sleep(2)
        server.start()
        told = finish(*processes[2:])
        assert stored(server.url) == values
        assert claims_left(server.url) == 0
        if folder is not None:
            assert in_files(server.url) == SAMPLES // 2
            assert check_database(server.url).sound
    for err in told:
        assert "cannot be reached: waiting" in err
        assert "is there again after" in err
        assert "Traceback" not in err
    for one, expected in zip(logs(log), batches, strict=True):
        assert set(times(one)) == expected
        # What a killed process has not stored is computed again, and nothing else.
        again = [name for name, count in times(one).items() if count > 1]
        assert set(times(one, *killed).values()) <= {1}
        lost = [last_of(one, process) for process in killed]
        assert set(again) <= set(lost)


def let_vectors_lie(location: str, folder: Path) -> Path:
    """Let vectors lie in files of eight; a batch has three."""
    with Store.open(location) as store:
        move_into(store, folder, 8 * 2 * 4)
    return folder


def in_files(location: str) -> int:
    """How many vectors lie in files."""
    with Store.open(location) as store, store.reading() as connection:
        sql = "SELECT count(*) FROM embeddings WHERE file_id IS NOT NULL"
        return connection.scalar(text(sql))


def last_of(log: Path, process: int) -> str | None:
    """The batch that a process had begun last."""
    own = [one.batch for one in computations(log) if one.process == process]
    return own[-1] if own else None


def test_processes_share_the_work_on_a_file_too(data, location, tmp_path, alone):
    values, batches = alone
    ingest(data, location)
    log = tmp_path / "log"
    processes = [start(data, location, log, "--json", pause=0.05) for _ in range(3)]
    told = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert stored(location) == values
    assert claims_left(location) == 0
    for one, expected in zip(logs(log), batches, strict=True):
        assert times(one) == dict.fromkeys(expected, 1)
    # Each ends when everything is there, and says what of it others have done since it began.
    assert len({one.process for one in computations(log)}) > 1
    own = [one["scored"]["tallied"] - one["by_others"].get("tallied", 0) for one in told]
    assert sum(own) == SAMPLES
    assert max(one["scored"]["tallied"] for one in told) == SAMPLES
    assert {one["failed"]["tallied"] for one in told} == {1}


def test_a_stopped_process_that_wakes_up_after_others_took_its_batches_stores_nothing_twice(
    data, location, tmp_path, alone
):
    values, batches = alone
    ingest(data, location)
    log = tmp_path / "log"
    sleeper = start(data, location, log, pause=0.1, silence=2.0)
    begun(log, 3)
    stop(sleeper, location)
    (told,) = finish(start(data, location, log, silence=2.0))
    assert "gives no sign of life" in told
    before = runs_of(location)
    sleeper.send_signal(signal.SIGCONT)
    finish(sleeper)
    assert stored(location) == values
    assert runs_of(location) == before
    for one, expected in zip(logs(log), batches, strict=True):
        assert set(times(one)) == expected
        assert sum(times(one).values()) <= len(expected) + 2


def stop(process: Forked, location: object) -> None:
    """Stop a process, but not while it has locked a file: nobody could take that lock from it."""
    while True:
        process.send_signal(signal.SIGSTOP)
        if "://" in str(location):
            return
        looking = sqlite3.connect(str(location), timeout=0.1, isolation_level=None)
        with closing(looking), suppress(sqlite3.OperationalError):
            looking.execute("BEGIN IMMEDIATE")
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.05)


def runs_of(location: object) -> list[tuple[int, int, int]]:
    """Which run has stored each score."""
    with Store.open(location) as store, store.reading() as connection:
        sql = "SELECT component_id, content_id, run_id FROM scores ORDER BY 1, 2"
        return connection.execute(text(sql)).all()
