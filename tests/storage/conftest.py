"""A fresh score database for each test: SQLite always, PostgreSQL where a server is named."""

from __future__ import annotations

import os
import uuid

import pytest
from sqlalchemy import create_engine, make_url, text

from ig4.storage.store import Store


@pytest.fixture
def sqlite_store(tmp_path):
    with Store.open(tmp_path / "ig4.db") as store:
        yield store


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def location(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield str(tmp_path / "ig4.db")
        return
    server = os.environ.get("IG4_TEST_POSTGRES")
    if not server:
        pytest.skip("IG4_TEST_POSTGRES names no server")
    name = f"ig4_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture
def store(location):
    with Store.open(location) as store:
        yield store
