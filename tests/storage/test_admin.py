"""Backups, statistics and upgrades."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import insert, text

from ig4.storage import admin, claims, workers
from ig4.storage.errors import DatabaseMissingError, StorageError
from ig4.storage.runs import now
from ig4.storage.schema import Component, Dataset
from ig4.storage.store import Store
from ig4.storage.versions import HEAD


def add_content(store):
    with store.writing() as connection:
        connection.execute(text("INSERT INTO contents (hash) VALUES ('a')"))


def test_a_backup_is_a_whole_database_taken_while_it_is_open(sqlite_store, tmp_path):
    add_content(sqlite_store)
    saved = admin.backup(sqlite_store.location, tmp_path / "copies" / "one.db").path
    with Store.open(saved, create=False) as copy, copy.reading() as connection:
        assert connection.scalar(text("SELECT hash FROM contents")) == "a"


def test_a_backup_overwrites_nothing(sqlite_store, tmp_path):
    (tmp_path / "there.db").write_text("mine")
    with pytest.raises(StorageError, match="already exists"):
        admin.backup(sqlite_store.location, tmp_path / "there.db")
    assert (tmp_path / "there.db").read_text() == "mine"


def test_a_backup_without_a_name_lies_beside_the_database(sqlite_store):
    saved = admin.backup(sqlite_store.location).path
    other = admin.backup(sqlite_store.location, saved.with_suffix(".2")).path
    assert saved.parent == other.parent
    assert saved.name.startswith("ig4.")


def test_stats_count_the_rows_of_every_table(store, location):
    add_content(store)
    facts = admin.stats(location)
    assert facts["rows"]["contents"] == 1
    assert facts["rows"]["scores"] == 0
    assert facts["version"] == HEAD


def test_an_upgrade_with_nothing_to_do_makes_no_backup(store, location):
    assert admin.upgrade_database(location) == (HEAD, HEAD, None)


@pytest.mark.parametrize("ask", [admin.stats, admin.backup, admin.upgrade_database])
def test_a_missing_database_is_not_made(tmp_path, ask):
    with pytest.raises(DatabaseMissingError):
        ask(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()


def test_description_tells_a_missing_database_from_one_that_is_there(tmp_path):
    assert admin.describe_database(tmp_path / "none.db")["exists"] is False
    Store.open(tmp_path / "ig4.db").close()
    assert admin.describe_database(tmp_path / "ig4.db")["version"] == HEAD


def test_a_database_of_another_program_gets_no_tables_of_ours(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(StorageError, match="database of another program"):
        admin.upgrade_database(path)
    with pytest.raises(StorageError, match="has no ig4 tables"):
        admin.stats(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_stats_count_what_an_older_ig4_made(store, location):
    with store.writing() as connection:
        connection.execute(text("DROP TABLE training_steps"))
    assert "training_steps" not in admin.stats(location)["rows"]


def test_a_backup_leaves_out_processes_at_work_and_what_they_have_claimed(sqlite_store, tmp_path):
    with sqlite_store.writing() as connection:
        dataset = {"name": "d", "path": "", "format": "llava", "options": {}, "created_at": now()}
        connection.execute(insert(Dataset).values(id=1, **dataset))
        scorer = {"kind": "scorer", "name": "s", "distribution": "d", "version": "1"}
        more = {"options": {}, "fingerprint": "f", "created_at": now()}
        connection.execute(insert(Component).values(id=1, **scorer, **more))
        workers.record_heartbeat(connection, "w", "host", 1, "then", 1)
        claims.put(connection, 1, "w", [claims.Span(1, 0, 9)])
    saved = admin.backup(sqlite_store.location, tmp_path / "one.db")
    counts = [admin.stats(place)["rows"] for place in (sqlite_store.location, saved.path)]
    assert [(one["score_claims"], one["llm_workers"]) for one in counts] == [(1, 1), (0, 0)]
    assert (saved.rows["score_claims"], saved.rows["datasets"]) == (0, 1)
