"""The databases of the storage tests, and shards of one data set to merge."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.schema import Embedding, Score
from ig4.storage.store import Store

from ....harbour import write_data
from ....storage.conftest import database
from ....storage.conftest import location as location
from ....storage.conftest import postgres as postgres
from ....storage.conftest import template as template
from .databases import LENGTH


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


@pytest.fixture
def opened(tmp_path):
    """Open a session on a database in the test's folder, by its name, or on a given one."""
    stores = []

    def open_one(where) -> Session:
        place = where if "://" in str(where) else tmp_path / where
        stores.append(Store.open(place))
        return Session(stores[-1], Host.discover(), [])

    yield open_one
    for one in stores:
        one.close()


@pytest.fixture
def server(postgres, template):
    """The URL of an empty PostgreSQL database."""
    with database(postgres, template) as url:
        yield url


@pytest.fixture
def shards(data, opened, tmp_path):
    """Three databases of one data set, each with the results of every third sample."""
    paths = []
    for shard in range(3):
        session = opened(f"shard-{shard}.db")
        dataset = ingest(session, DatasetSource(data, name="harbour")).dataset
        score(session, dataset, LENGTH)
        with session.store.writing() as connection:
            connection.execute(delete(Score).where(Score.content_id % 3 != shard))
            connection.execute(delete(Embedding).where(Embedding.image_id % 3 != shard))
        paths.append(tmp_path / f"shard-{shard}.db")
    return paths
