"""The schema's life: made once, checked at every opening, migrated in one piece."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from ig4.storage.admin import upgrade_database
from ig4.storage.errors import DatabaseMissingError, SchemaVersionError, StorageError
from ig4.storage.schema import Base
from ig4.storage.store import Store
from ig4.storage.versions import HEAD, current


def test_migrations_make_exactly_the_tables_that_the_code_describes(store):
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_migration_is_the_one_the_code_works_with():
    import ig4.storage.migrations as migrations

    folder = ScriptDirectory(next(iter(migrations.__path__)))
    assert folder.get_current_head() == HEAD


def test_a_database_opens_again_at_its_version(location):
    Store.open(location).close()
    with Store.open(location) as store, store.reading() as connection:
        assert current(connection) == HEAD


def test_a_database_from_a_newer_ig4_is_refused_with_the_remedy(store, location):
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaVersionError, match=r"newer ig4.*pip install --upgrade ig4"):
        Store.open(location)
    with pytest.raises(SchemaVersionError, match="newer ig4"):
        upgrade_database(location)


def test_a_database_from_an_older_ig4_names_the_command_to_run(store, location):
    with store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(SchemaVersionError, match="ig4 db upgrade"):
        Store.open(location)


def test_a_database_of_another_program_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE recipes (id INTEGER)")
    with pytest.raises(StorageError, match="database of another program"):
        Store.open(path)


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("x" * 5000)
    with pytest.raises(StorageError, match=r"notes\.txt is not an ig4 database"):
        Store.open(path)


def test_without_create_a_missing_database_is_an_error(tmp_path):
    with pytest.raises(DatabaseMissingError, match="There is no score database"):
        Store.open(tmp_path / "none.db", create=False)
    assert not (tmp_path / "none.db").exists()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    from ig4.storage import versions

    def explode(connection):
        raise RuntimeError("in the middle")

    path = tmp_path / "ig4.db"
    monkeypatch.setattr(versions, "create_scores_long", explode)
    with pytest.raises(RuntimeError):
        Store.open(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_sqlite_runs_in_wal_mode_with_foreign_keys(sqlite_store):
    with sqlite_store.reading() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1


def test_unknown_kinds_of_database_are_named():
    with pytest.raises(StorageError, match="mysql databases are not supported"):
        Store.open("mysql://localhost/x")


def test_a_password_never_shows(monkeypatch):
    from ig4.storage.connect import describe, parse

    assert "secret" not in describe(parse("postgresql://me:secret@host/name"))


def test_a_database_of_the_first_schema_is_upgraded_and_keeps_its_rows(store, location):
    with store.writing() as connection:
        for table in (
            "ablation_cells", "ablations", "verdicts", "judgements", "predictions", "evaluations",
            "training_steps", "trainings", "llm_calls", "llm_batches", "llm_workers",
        ):  # fmt: skip
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        connection.execute(text("INSERT INTO contents (hash) VALUES ('kept')"))
    before, after, _ = upgrade_database(location)
    assert (before, after) == ("0001", HEAD)
    with store.reading() as connection:
        assert connection.scalar(text("SELECT hash FROM contents")) == "kept"
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_processes_that_an_older_ig4_recorded_stay(store, location):
    with store.writing() as connection:
        for column in ("beats", "started"):
            connection.execute(text(f"ALTER TABLE llm_workers DROP COLUMN {column}"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
        row = "'w', 'host', 7, '2026-01-01 00:00:00'"
        connection.execute(text(f"INSERT INTO llm_workers (id, host, pid, seen_at) VALUES ({row})"))
    upgrade_database(location)
    with store.reading() as connection:
        assert connection.execute(text("SELECT id, beats, started FROM llm_workers")).all() == [
            ("w", 0, None)
        ]
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
