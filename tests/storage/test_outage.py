"""A server that was there before is waited for; one that never was is not."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from ig4.storage.errors import StorageError
from ig4.storage.outage import Outage
from ig4.storage.store import Store

from ..postgresserver import programs, running


@pytest.fixture(scope="module")
def server():
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    with running(found) as server:
        yield server


pytestmark = [pytest.mark.postgres, pytest.mark.slow]


def test_a_restart_is_waited_for_and_told_in_two_lines(server):
    told = []

    def start_again(said):
        told.append(said)
        if len(told) == 1:
            server.start()

    with Store.open(server.url) as store:
        store.notice = start_again
        server.stop()
        with store.reading() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
    assert len(told) == 2
    assert told[1].startswith("the database is there again after ")
    assert told[0] == (
        "the database cannot be reached: waiting for it, 5 minutes at most; nothing that was "
        "stored is lost"
    )


def test_it_is_not_waited_for_without_end(server):
    with Store.open(server.url) as store:
        store._outage.patience = 2.0
        server.stop()
        try:
            for at_least, at_most in ((1.9, 20), (0, 1)):  # then it is known to be gone
                began = time.monotonic()
                with pytest.raises(StorageError, match="postgresql"), store.reading():
                    pass
                assert at_least <= time.monotonic() - began < at_most
        finally:
            server.start()


def test_who_gives_up_says_what_is_safe(server):
    with Store.open(server.url) as store:
        store._outage.patience = 0.1
        server.stop()
        try:
            told = "was committed is safe; the same command"
            with pytest.raises(StorageError, match=told), store.reading():
                pass
        finally:
            server.start()


def test_a_server_that_never_answered_is_not_waited_for():
    nowhere = create_engine("postgresql+psycopg://ig4@/ig4?host=/nowhere")
    began = time.monotonic()
    with pytest.raises(OperationalError):
        Outage(nowhere).connect()
    assert time.monotonic() - began < 1
