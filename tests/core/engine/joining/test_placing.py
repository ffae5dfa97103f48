"""Moving vectors as a recorded run: those that were killed do not stand in its way."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from ig4.core.calls import presence, worker
from ig4.core.engine.joining import placing
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage import settings, workers
from ig4.storage.errors import StorageError
from ig4.storage.store import Store

from ....storage.conftest import database


@pytest.fixture
def session(postgres, template):
    with database(postgres, template) as url, Store.open(url) as store:
        yield Session(store, Host.discover(), [])


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    for module in (presence, worker, placing):
        monkeypatch.setattr(module, "BEAT_SECONDS", 0.2)


def mover(session, silence):
    """Let a process of another host move vectors that was last heard of so many seconds ago."""
    with session.store.writing() as connection:
        workers.record_heartbeat(connection, "other", "another host", 1, None, 7)
        settings.put(connection, settings.VECTOR_MOVER, "other")
        connection.execute(
            text("UPDATE llm_workers SET seen_at = now() - :silence * interval '1 second'"),
            {"silence": silence},
        )


@pytest.mark.postgres
def test_a_process_of_another_host_that_was_killed_is_noticed(session, tmp_path):
    mover(session, silence=120)
    assert placing.move_into(session, tmp_path / "files").folder == tmp_path / "files"


@pytest.mark.postgres
def test_a_process_of_another_host_that_lives_is_not_disturbed(session, tmp_path):
    mover(session, silence=1)
    with pytest.raises(StorageError, match="Another process moves the vectors"):
        placing.move_into(session, tmp_path / "files")
