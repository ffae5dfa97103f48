"""Connections that break while services are asked: nothing is asked twice, nothing is lost."""

from __future__ import annotations

import sys

import pytest
from sqlalchemy import text

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
from ...storage.test_lost import BREAK_ONCE
from ..conftest import record

SAMPLES = 12

ON_UPDATE = BREAK_ONCE.replace("AFTER INSERT", "AFTER UPDATE")


@pytest.mark.parametrize("sql", [BREAK_ONCE, ON_UPDATE], ids=["claim", "reply"])
def test_a_connection_that_breaks_in_the_ledger_costs_nothing(location, plugin, folder, sql):
    if not location.startswith("postgresql"):
        pytest.skip("SQLite has no connection to lose")
    folder.write(*(record(f"s{n}", f"answer {n}") for n in range(SAMPLES)))
    with Store.open(location) as store:
        session = Session(store, Host.discover())
        dataset = ingest(session, DatasetSource(folder.path)).dataset
        session.host.load("scorer", "asking")
        with store.writing() as connection:
            connection.exec_driver_sql(sql.format(table="llm_calls"))
        done = score(session, dataset, ScoreRequest([Choice("scorer", "asking")]))
        with store.reading() as connection:
            assert connection.scalar(text("SELECT last_value FROM broken")) >= 2
            assert connection.scalar(text("SELECT count(*) FROM scores")) == SAMPLES
    assert (done.done, done.failed) == ({"asking": SAMPLES}, {"asking": 0})
    assert len(sys.modules["counting.service"].world.asked) == SAMPLES
