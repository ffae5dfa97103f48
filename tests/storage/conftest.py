"""A fresh score database for each test: SQLite always, PostgreSQL where a server is named."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, make_url, text

from ig4.storage.store import Store


@pytest.fixture
def sqlite_store(tmp_path):
    with Store.open(tmp_path / "ig4.db") as store:
        yield store


@contextmanager
def database(server: str, template: str = "template1"):
    """Yield the URL of a new PostgreSQL database, a copy of another one; drop it in the end."""
    name = f"ig4_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture(scope="session")
def postgres() -> str:
    """The URL of a PostgreSQL server, or a skip where none is named."""
    named = os.environ.get("IG4_TEST_POSTGRES")
    if not named:
        pytest.skip("IG4_TEST_POSTGRES names no server")
    return named


@pytest.fixture(scope="session")
def template(postgres):
    """The name of a database with ig4's schema: in memory, copying is faster than making."""
    with database(postgres) as url:
        Store.open(url).close()
        yield make_url(url).database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def location(request, tmp_path):
    """The URL of an empty database; with `store`, of one that has ig4's schema."""
    if request.param == "sqlite":
        yield str(tmp_path / "ig4.db")
        return
    opened = "store" in request.fixturenames
    source = request.getfixturevalue("template") if opened else "template1"
    with database(request.getfixturevalue("postgres"), source) as url:
        yield url


@pytest.fixture
def store(location):
    with Store.open(location) as store:
        yield store
