"""A batch whose commit was never acknowledged is this process's own, and counted once."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store

from .....storage.conftest import database
from .....storage.conftest import postgres as postgres
from .....storage.conftest import template as template
from ....conftest import record
from .conftest import claims_left, times

pytestmark = pytest.mark.postgres

SAMPLES = 12


@pytest.fixture
def store(postgres, template, plugin):
    with database(postgres, template) as url, Store.open(url) as opened:
        yield opened


def break_after_commit(store, monkeypatch, table):
    """Close the connection right after the server has committed the first rows of a table."""
    commit = store.engine.dialect.do_commit
    broken = []

    def do_commit(connection):
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT EXISTS (SELECT FROM {table} WHERE xmin::text = "
                "txid_current_if_assigned()::text)"
            )
            (writes,) = cursor.fetchone()
        commit(connection)
        if writes and not broken:
            broken.append(table)
            connection.dbapi_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(store.engine.dialect, "do_commit", do_commit)
    return broken


@pytest.mark.parametrize("table", ["scores"])
def test_a_batch_whose_commit_was_not_acknowledged_is_counted_as_our_own(
    store, folder, tmp_path, monkeypatch, table
):
    folder.write(*(record(f"s{n:02d}", "word " * n) for n in range(1, SAMPLES + 1)))
    session = Session(store, Host.discover(), [])
    dataset = ingest(session, DatasetSource(folder.path, name="set")).dataset
    broken = break_after_commit(store, monkeypatch, table)
    log = tmp_path / "log"
    done = score(session, dataset, ScoreRequest([Choice("scorer", "tallied", {"log": str(log)})]))
    assert broken == [table]
    assert (done.done, done.others) == ({"tallied": SAMPLES}, {})
    assert set(times(log).values()) == {1}
    with store.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM scores")) == SAMPLES
    assert claims_left(store.location) == 0
