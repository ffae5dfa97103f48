"""What the database's own errors become, and how writers take turns."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import make_url, text

from ig4.storage import connect
from ig4.storage.errors import DatabaseBusyError, StorageError, UnwritableError
from ig4.storage.store import Store

from .conftest import database


def test_a_database_locked_by_another_run_says_so(sqlite_store, monkeypatch):
    other = sqlite3.connect(sqlite_store.location, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.2)
    with Store.open(sqlite_store.location) as store:
        busy = pytest.raises(DatabaseBusyError, match=r"locked by another process.*PostgreSQL")
        with busy, store.writing():
            pass
        other.execute("ROLLBACK")
        with store.writing() as connection:
            connection.execute(text("INSERT INTO contents (hash) VALUES ('a')"))
    other.close()


def test_a_writer_waits_for_the_one_before_it(sqlite_store):
    other = sqlite3.connect(sqlite_store.location, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
    began = time.monotonic()
    with sqlite_store.writing() as connection:
        connection.execute(text("INSERT INTO contents (hash) VALUES ('a')"))
    assert time.monotonic() - began >= 0.4
    other.close()


def test_readers_go_on_while_another_process_writes(sqlite_store):
    other = sqlite3.connect(sqlite_store.location, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO contents (hash) VALUES ('a')")
    with sqlite_store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM contents")) == 0
    other.execute("COMMIT")
    other.close()


def test_a_full_disk_is_told_and_what_was_committed_stays(sqlite_store):
    with sqlite_store.writing() as connection:
        connection.execute(text("INSERT INTO contents (hash) VALUES ('kept')"))
    with pytest.raises(StorageError, match=r"cannot grow.*free some space"):
        fill(sqlite_store)
    with sqlite_store.reading() as connection:
        assert connection.scalar(text("SELECT hash FROM contents")) == "kept"


NORMAL = 1
"""SQLite's `synchronous` from which on the log reaches the disk before the database does."""


@pytest.mark.parametrize("transaction", ["reading", "writing"])
def test_neither_a_kill_nor_a_power_cut_can_damage_the_database(sqlite_store, transaction):
    for _ in range(2):  # the second connection may be another one
        with getattr(sqlite_store, transaction)() as connection:
            assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
            assert connection.scalar(text("PRAGMA synchronous")) >= NORMAL
        sqlite_store.close()


FULL = 2
"""SQLite's `synchronous` from which on a commit waits for the disk."""


def test_a_durable_transaction_waits_for_the_disk_whatever_came_before(sqlite_store):
    for durable in (True, False, True):
        with sqlite_store.writing(durable=durable) as connection:
            level = connection.scalar(text("PRAGMA synchronous"))
        assert level == (FULL if durable else NORMAL)


COMMITS = """
import sys
from sqlalchemy import text
from ig4.storage.store import Store

with Store.open(sys.argv[1]) as store:
    for number in range(20):
        with store.writing(durable=sys.argv[2] == "durable") as connection:
            connection.execute(text(f"INSERT INTO contents (hash) VALUES ('{number}')"))
"""


def syncs(location, kind, folder):
    """Return how often a process that commits twenty times has the system sync a file."""
    log = folder / f"{kind}.log"
    trace = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(log)]
    command = [*trace, sys.executable, "-c", COMMITS, location, kind]
    subprocess.run(command, check=True, timeout=60)
    return sum("sync(" in line for line in log.read_text().splitlines())


def can_trace():
    """Whether the calls of a process to the system can be seen here."""
    command = ["strace", "-o", "/dev/null", sys.executable, "-c", ""]
    return bool(shutil.which("strace")) and subprocess.run(command, check=False).returncode == 0


@pytest.mark.slow
def test_each_durable_commit_is_a_sync_of_the_system(tmp_path):
    if not can_trace():
        pytest.skip("strace is not to be had")
    location = str(tmp_path / "ig4.db")
    Store.open(location).close()
    assert syncs(location, "durable", tmp_path) >= 20
    with closing(sqlite3.connect(location)) as connection, connection:
        connection.execute("DELETE FROM contents")
    assert syncs(location, "plain", tmp_path) < 20


def test_a_server_that_does_not_wait_for_its_disk_does_for_a_durable_transaction(store):
    if store.is_sqlite:
        pytest.skip("this is about a server")
    with store.writing() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit TO off'))
    store.close()  # the next connection begins with it
    levels = []
    for durable in (False, True, False):
        with store.writing(durable=durable) as connection:
            levels.append(connection.scalar(text("SHOW synchronous_commit")))
    assert levels == ["off", "on", "off"]


def fill(store):
    with store.writing() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        # SQLite refuses the next page as it does when the disk has none left.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        rows = [(f"{n:032x}" * 20,) for n in range(5000)]
        connection.exec_driver_sql("INSERT INTO contents (hash) VALUES (?)", rows)


def add_and_fail(store):
    with store.writing() as connection:
        connection.execute(text("INSERT INTO contents (hash) VALUES ('a')"))
        raise RuntimeError


def test_a_transaction_that_fails_leaves_nothing(store):
    with pytest.raises(RuntimeError):
        add_and_fail(store)
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM contents")) == 0


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match="check that its folder exists"):
        Store.open(tmp_path / "none" / "ig4.db")


@pytest.mark.parametrize(
    "location",
    [
        "postgresql://me:hush@server/scores",
        "postgresql://server/scores?user=me&password=hush",
        "postgresql://server/scores?sslkey=me.key&sslpassword=hush",
    ],
)
def test_no_password_of_a_location_is_shown(location):
    shown = connect.describe(connect.parse(location))
    assert "hush" not in shown
    assert "server/scores" in shown


@pytest.mark.postgres
def test_a_server_that_only_lets_read_is_told_apart_from_other_errors(postgres, template):
    with database(postgres, template) as url, Store.open(url) as store:
        with store.writing() as connection:
            connection.execute(text("CREATE ROLE ig4_reader LOGIN"))
            connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO ig4_reader"))
        reader = make_url(url).set(username="ig4_reader")
        try:
            with Store.open(reader.render_as_string(hide_password=False)) as reading:
                with reading.reading() as connection:
                    assert connection.execute(text("SELECT count(*) FROM runs")).scalar() == 0
                unwritable = pytest.raises(UnwritableError, match="cannot be written: permission")
                with unwritable, reading.writing() as connection:
                    connection.execute(text("INSERT INTO contents (hash) VALUES ('a')"))
        finally:
            with store.writing() as connection:
                connection.execute(text("DROP OWNED BY ig4_reader"))
                connection.execute(text("DROP ROLE ig4_reader"))


_INTERRUPTED = """
import sys
from ig4.storage.connect import connect, parse

def interrupt(_connection):
    raise KeyboardInterrupt

engine = connect(parse(sys.argv[1]))
engine.connect().close()
engine.dialect.do_close = interrupt
try:
    engine.dispose()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_while_a_connection_closes_prints_no_traceback(tmp_path):
    command = [sys.executable, "-c", _INTERRUPTED, str(tmp_path / "ig4.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
