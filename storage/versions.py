"""Create and upgrade the schema, and refuse versions that this ig4 does not support."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_mock_engine, inspect, text

from ig4.storage.connect import describe, transaction
from ig4.storage.errors import SchemaVersionError, StorageError
from ig4.storage.views import (
    create_groups_long,
    create_scores_long,
    lock_schema,
    refresh_scores_wide,
    refresh_selections_wide,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0020"
"""The newest migration; a test compares it with the folder `migrations/versions`."""

# As Alembic makes it.
_VERSION_TABLE = """
CREATE TABLE alembic_version (
  version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)
"""


def current(connection: Connection) -> str | None:
    """Return the schema version of a database, or None if it has no ig4 schema."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def ensure_schema(engine: Engine) -> None:
    """Create the schema in an empty database; check the version of any other.

    Raises:
        SchemaVersionError: the schema is older or newer than HEAD; the message says what to do.
        StorageError: the database belongs to another program.
    """
    try:
        with transaction(engine, writes=False) as connection:
            revision = current(connection)
            if revision is None:
                reject_foreign_database(connection, describe(engine.url))
    except UnicodeDecodeError:  # the names of tables cannot be read
        raise StorageError(
            f"{describe(engine.url)} is damaged: restore a backup, or name another file with --db."
        ) from None
    if revision is None:
        upgrade(engine)
    else:
        check(revision, describe(engine.url))


def reject_foreign_database(connection: Connection, where: str) -> None:
    """Raise StorageError if a database without an ig4 schema has tables of another program."""
    tables = inspect(connection).get_table_names()
    if tables:
        raise StorageError(
            f"{where} is a database of another program (it has a table {tables[0]!r}): name "
            "another database with --db."
        )


def check(revision: str, where: str) -> None:
    """Raise SchemaVersionError unless `revision` is HEAD."""
    if revision == HEAD:
        return
    if revision < HEAD:
        raise SchemaVersionError(
            f"{where} was made by an older ig4 (schema {revision}, now {HEAD}): run "
            f"`ig4 db upgrade --db {where}` (it makes a backup first)."
        )
    raise SchemaVersionError(
        f"{where} was made by a newer ig4 (schema {revision}, this one supports {HEAD}): run "
        "`pip install --upgrade ig4`."
    )


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Create the schema, or run the missing migrations, in one transaction.

    Returns the revisions before and after.

    Raises:
        SchemaVersionError: the database was made by a newer ig4.
        StorageError: the database belongs to another program.
    """
    with transaction(engine, writes=True) as connection:
        lock_schema(connection)
        before = current(connection)  # another process may have migrated it in the meantime
        if before == HEAD:
            return before, HEAD
        if before is None:
            reject_foreign_database(connection, describe(engine.url))
            create_tables(connection)
        else:
            if before > HEAD:
                check(before, describe(engine.url))
            migrate(connection)
        create_scores_long(connection)
        create_groups_long(connection)
        refresh_scores_wide(connection)
        refresh_selections_wide(connection)
    return before, HEAD


def create_tables(connection: Connection) -> None:
    """Create all tables in an empty database, as the migrations would, in a tenth of their time."""
    for statement in _statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.execute(text(_VERSION_TABLE))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


@cache
def _statements(dialect: str) -> tuple[str, ...]:
    """Return what makes all tables: putting it into words takes longer than doing it."""
    from ig4.storage.schema import Base

    made: list[str] = []

    def keep(statement: Any, *_: object, **__: object) -> None:
        made.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", keep)
    Base.metadata.create_all(engine, checkfirst=False)
    return tuple(made)


def migrate(connection: Connection, to: str = "head") -> None:
    """Run the migrations up to a revision; in an empty database from the first one on."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "ig4.storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
