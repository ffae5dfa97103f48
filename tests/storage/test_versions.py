"""The schema's life: made once, checked at every opening, migrated in one piece."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from ig4.storage import samples
from ig4.storage.admin import upgrade_database
from ig4.storage.connect import connect, parse, transaction
from ig4.storage.errors import DatabaseMissingError, SchemaVersionError, StorageError
from ig4.storage.schema import Base
from ig4.storage.store import Store
from ig4.storage.versions import HEAD, current, migrate


def test_migrations_make_exactly_the_tables_that_the_code_describes(location):
    with old_database(location, "head") as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def described(connection):
    """Everything that the database tells of its tables, whatever the order of columns."""
    found = inspect(connection)
    told = {}
    for table in found.get_table_names():
        columns = {
            one["name"]: {**one, "type": str(one["type"])} for one in found.get_columns(table)
        }
        told[table] = {
            "columns": columns,
            "key": found.get_pk_constraint(table),
            "references": sorted(found.get_foreign_keys(table), key=lambda one: one["name"]),
            "unique": sorted(found.get_unique_constraints(table), key=lambda one: one["name"]),
            "checks": sorted(found.get_check_constraints(table), key=lambda one: one["name"]),
            "indexes": sorted(map(plain, found.get_indexes(table)), key=lambda one: one["name"]),
            "options": found.get_table_options(table),
        }
    return told


def plain(index):
    """An index with its condition as text."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def test_a_new_database_is_what_the_migrations_would_have_made(store, location):
    """It is made at once, without running them; constraints have equal names for later ones."""
    with store.reading() as connection:
        made, version = described(connection), current(connection)
    with store.writing() as connection:
        empty(connection)
        migrate(connection)
        assert described(connection) == made
        assert current(connection) == version == HEAD


def empty(connection):
    """Drop all views and tables."""
    for view in inspect(connection).get_view_names():
        connection.execute(text(f"DROP VIEW {view}"))
    Base.metadata.drop_all(connection)
    connection.execute(text("DROP TABLE alembic_version"))


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
    with pytest.raises(SchemaVersionError, match=r"`ig4 db upgrade --db .+` "):
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


def test_a_database_of_the_first_schema_is_upgraded_and_keeps_its_rows(location):
    with old_database(location, "0001") as connection:
        connection.execute(text("INSERT INTO contents (hash) VALUES ('kept')"))
    before, after, _ = upgrade_database(location)
    assert (before, after) == ("0001", HEAD)
    with Store.open(location) as store, store.reading() as connection:
        assert connection.scalar(text("SELECT hash FROM contents")) == "kept"
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


SHA = {name: name * 32 for name in ("ab", "cd", "ef")}

OLD_ROWS = f"""
INSERT INTO datasets (id, name, path, format, options, image_root, source_state, created_at) VALUES
  (1, 'mixed', '/data/mixed', 'parquet', '{{}}', '/mnt/images', 'read', '2026-01-01'),
  (2, 'plain', '/data/plain/llava.json', 'llava', '{{}}', NULL, 'read', '2026-01-01');
INSERT INTO contents (id, hash) VALUES (1, 'one');
INSERT INTO samples (id, dataset_id, ordinal, external_id, content_id, instruction, answer, raw)
  VALUES (1, 1, 1, 'a', 1, 'q', 'a', '{{}}'), (2, 2, 1, 'b', 1, 'q', 'a', '{{}}');
INSERT INTO images (id, sha256, bytes) VALUES
  (1, '{SHA["ab"]}', 3), (2, '{SHA["cd"]}', 3), (3, '{SHA["ef"]}', 3);
INSERT INTO image_files (id, dataset_id, name, path, size, mtime_ns, image_id) VALUES
  (1, 1, 'sha256:{SHA["ab"]}', '/work/ig4-images/ab/{SHA["ab"]}', 3, 1, 1),
  (2, 1, 'sha256:/etc/passwd', '/etc/passwd', 3, 1, 2),
  (3, 1, 'sha256:{SHA["cd"]}', '/work/ig4-images/cd/{SHA["cd"]}', 3, 1, 3),
  (4, 2, 'image/1.jpg', '/data/plain/image/1.jpg', 3, 1, 2);
INSERT INTO sample_images (sample_id, position, file_id) VALUES
  (1, 0, 1), (1, 1, 2), (1, 2, 3), (2, 0, 4)
"""


def test_an_upgrade_takes_for_embedded_what_lies_in_the_store_under_its_own_digest(location):
    with old_database(location, "0004") as connection:
        for statement in OLD_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
    upgrade_database(location)
    with Store.open(location) as store, store.reading() as connection:
        files = connection.execute(
            text("SELECT id, embedded, path, image_id, problem FROM image_files ORDER BY id")
        ).all()
        assert [bool(row.embedded) for row in files] == [True, False, False, False]
        assert [row.path for row in files] == [
            f"/work/ig4-images/ab/{SHA['ab']}", None, None, "/data/plain/image/1.jpg",
        ]  # fmt: skip
        assert [row.image_id for row in files] == [1, None, None, 2]
        assert "ig4 ingest" in files[1].problem
        assert files[3].problem is None
        read = dict(connection.execute(text("SELECT name, source_state FROM datasets")).all())
        assert read == {"mixed": None, "plain": "read"}  # the first is read again
        links = connection.execute(text("SELECT * FROM sample_images ORDER BY file_id")).all()
        assert [tuple(link) for link in links] == [(1, 0, 1), (1, 1, 2), (1, 2, 3), (2, 0, 4)]


def test_an_upgrade_finds_the_folders_that_images_may_lie_in(location):
    with old_database(location, "0004") as connection:
        for statement in OLD_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
    upgrade_database(location)
    with Store.open(location) as store, store.reading() as connection:
        rows = samples.by_id(connection, [1, 2])
    assert [image.roots for image in rows[0].images] == [
        ("/work/ig4-images",), ("/mnt/images", "/data/mixed"), ("/mnt/images", "/data/mixed"),
    ]  # fmt: skip
    assert [image.roots for image in rows[1].images] == [("/data/plain",)]


@contextmanager
def old_database(location, revision):
    """Make a database of an older schema, and yield a connection that may fill it."""
    engine = connect(parse(location))
    with transaction(engine, writes=True) as connection:
        migrate(connection, revision)
        yield connection
    engine.dispose()


def test_processes_that_an_older_ig4_recorded_stay(location):
    with old_database(location, "0005") as connection:
        row = "'w', 'host', 7, '2026-01-01 00:00:00'"
        connection.execute(text(f"INSERT INTO llm_workers (id, host, pid, seen_at) VALUES ({row})"))
    upgrade_database(location)
    with Store.open(location) as store, store.reading() as connection:
        assert connection.execute(text("SELECT id, beats, started FROM llm_workers")).all() == [
            ("w", 0, None)
        ]
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_what_only_reads_makes_no_database_of_an_empty_file(tmp_path):
    file = tmp_path / "ig4.db"
    file.touch()
    with pytest.raises(DatabaseMissingError, match="no score database"):
        Store.open(file, create=False)
    assert file.stat().st_size == 0
    with Store.open(file):
        pass
    assert file.stat().st_size > 0
