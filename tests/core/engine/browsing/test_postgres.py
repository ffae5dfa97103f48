"""View, search, page and browser are the same on PostgreSQL as on SQLite."""

from __future__ import annotations

import os
import uuid

import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text

from ig4.core.engine.browsing.browsed import BrowsedSelection
from ig4.core.engine.browsing.filters import SampleFilter
from ig4.core.engine.browsing.library import Library
from ig4.core.engine.browsing.server import Site, make_app
from ig4.core.engine.reporting.cards import sample_cards
from ig4.core.engine.reporting.galleries import galleries
from ig4.core.engine.reporting.shown import shown_samples
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

from ....harbour import BALANCED, QUOTA, TOPK, make_harbour

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A session on a PostgreSQL database of the harbour."""
    named = os.environ.get("IG4_TEST_POSTGRES") or pytest.skip("IG4_TEST_POSTGRES names no server")
    name = f"ig4_{uuid.uuid4().hex[:12]}"
    admin = create_engine(named, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    url = make_url(named).set(database=name).render_as_string(hide_password=False)
    folder = tmp_path_factory.mktemp("postgres")
    os.environ["IG4_VECTORS"] = str(folder / "vectors")
    try:
        make_harbour(folder, url)
        with Store.open(url) as store:
            yield Session(store, Host.discover(), [])
    finally:
        del os.environ["IG4_VECTORS"]
        with admin.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        admin.dispose()


@pytest.mark.parametrize("number", [QUOTA, TOPK, BALANCED])
def test_the_view_and_what_is_shown_of_it(server, opened, number):
    here, there = opened(number).view, Library(server, number).get().view
    for name in ("rank", "fate", "peers", "final"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert there.fates == here.fates
    lists = galleries(server, there)
    assert [(one.key, one.rows) for one in lists] == [
        (one.key, one.rows) for one in galleries(opened(number).session, here)
    ]
    cards = sample_cards(server, there, shown_samples(there, lists), images=True, texts=True)
    assert len(cards.pictures) == 62


@pytest.mark.parametrize(
    "query", ["ferry", "SEAGULLS there", "harbour-01 near", "%", "_", "\\", "'"]
)
def test_the_search(server, opened, query):
    here = opened(QUOTA)
    there = Library(server, QUOTA).get()
    assert isinstance(there, BrowsedSelection)
    wanted = SampleFilter(view="all", q=query)
    assert there.rows(wanted).tolist() == here.rows(wanted).tolist()


def test_the_browser_reads_and_writes_nothing(server):
    from starlette.testclient import TestClient

    app = make_app(Site(Library(server, QUOTA), 8420, "token"))
    client = TestClient(app, base_url="http://127.0.0.1:8420")
    for path in ("/api/about", "/api/samples", "/api/histograms", "/api/map", "/api/sample/3",
                 "/api/whatif?size=20", "/thumb/3/0"):  # fmt: skip
        assert client.get(path).status_code == 200
    told = client.get("/api/query", params={"sql": "SELECT count(*) FROM samples"}).json()
    assert told["rows"] == [[80]]
    for sql in ("DELETE FROM samples", "SELECT pg_read_file('/etc/passwd')",
                "COPY samples TO PROGRAM 'true'", "SELECT 1; DELETE FROM samples"):  # fmt: skip
        answer = client.get("/api/query", params={"sql": sql})
        assert answer.status_code == 400, (sql, answer.text)
    assert client.get("/api/query", params={"sql": "SELECT count(*) FROM samples"}).json() == told
