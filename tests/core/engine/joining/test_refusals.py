"""Merges that are refused, and those that are only planned."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import func, select

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.planningstore import planning_store
from ig4.core.engine.session import Session
from ig4.core.errors import UsageError
from ig4.core.host.host import Host
from ig4.storage.errors import DatabaseMissingError, SchemaVersionError, StorageError
from ig4.storage.schema import Content

from ....harbour import N
from .databases import harbour_data, write_other


def test_a_plan_writes_nothing_and_tells_the_same(shards, opened, tmp_path):
    here = tmp_path / "here.db"
    with planning_store(here) as planned:
        plan = merge(Session(planned, Host.discover(), []), shards[:1], dry_run=True)
    assert not here.exists()
    done = merge(opened("here.db"), shards[:1])
    assert plan[0].to_dict()["tables"] == done[0].to_dict()["tables"]
    before = here.read_bytes()
    with planning_store(here) as planned:
        merge(Session(planned, Host.discover(), []), shards, dry_run=True)
    assert here.read_bytes() == before


def test_an_older_or_newer_database_says_what_to_run(shards, opened):
    here = opened("here.db")
    for version, said in (("0012", "ig4 db upgrade --db"), ("9999", "pip install --upgrade ig4")):
        with closing(sqlite3.connect(shards[0])) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        with pytest.raises(SchemaVersionError, match=said):
            merge(here, shards[:1])


def test_a_database_is_not_merged_into_itself(shards, opened, tmp_path):
    session = opened("shard-0.db")
    (tmp_path / "link.db").symlink_to(shards[0])
    with pytest.raises(StorageError, match="is the database itself"):
        merge(session, [tmp_path / "link.db"])


def test_a_database_that_is_not_there_is_told_before_anything(shards, opened, tmp_path):
    here = opened("here.db")
    with pytest.raises(DatabaseMissingError):
        merge(here, [shards[0], tmp_path / "none.db"])
    with here.store.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(Content)) == 0


def test_a_database_is_named_once(shards, opened):
    with pytest.raises(UsageError, match="is named twice"):
        merge(opened("here.db"), [shards[0], shards[0]])


def test_a_plan_counts_on_a_server_what_would_be_new(harbour, opened, location):
    here = opened(location)
    with planning_store(location) as planned:
        plan = merge(Session(planned, Host.discover(), []), [harbour / "ig4.db"], dry_run=True)
    done = merge(here, [harbour / "ig4.db"])
    assert plan[0].to_dict()["tables"] == done[0].to_dict()["tables"]
    assert plan[0].total("taken") > N


def test_a_plan_counts_on_a_server_what_a_known_data_set_would_get(
    harbour, opened, location, tmp_path
):
    here = opened(location)
    ingest(here, DatasetSource(harbour_data(harbour), name="harbour"))
    write_other(tmp_path / "own.json")
    ingest(here, DatasetSource(tmp_path / "own.json", name="own"))
    with planning_store(location) as planned:
        plan = merge(Session(planned, Host.discover(), []), [harbour / "ig4.db"], dry_run=True)
    done = merge(here, [harbour / "ig4.db"])
    assert plan[0].to_dict()["tables"] == done[0].to_dict()["tables"]
