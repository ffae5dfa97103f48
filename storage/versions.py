"""Create the schema, bring it up to date, and refuse one that this ig4 does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from ig4.storage.connect import describe, transaction
from ig4.storage.errors import SchemaVersionError, StorageError
from ig4.storage.views import create_scores_long, refresh_scores_wide

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

HEAD = "0004"
"""The newest migration; a test holds it to the folder `migrations/versions`."""


def current(connection: Connection) -> str | None:
    """Return the database's revision, or None if ig4 has not been here yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def ensure(engine: Engine) -> None:
    """Create the schema in an empty database; check the version of any other.

    Raises:
        SchemaVersionError: it is older (says how to upgrade) or newer (says so).
    """
    with transaction(engine, writes=False) as connection:
        revision = current(connection)
        if revision is None:
            refuse_strangers(connection, describe(engine.url))
    if revision is None:
        upgrade(engine)
    else:
        check(revision, describe(engine.url))


def refuse_strangers(connection: Connection, where: str) -> None:
    """Raise StorageError if a database without ig4's version holds tables: another program's."""
    tables = inspect(connection).get_table_names()
    if tables:
        raise StorageError(
            f"{where} is a database of something else (it has a table {tables[0]!r}): name "
            "another with --db."
        )


def check(revision: str, where: str) -> None:
    """Raise SchemaVersionError unless `revision` is the one this ig4 works with."""
    if revision == HEAD:
        return
    if revision < HEAD:
        raise SchemaVersionError(
            f"{where} was made by an older ig4 (schema {revision}, now {HEAD}): run "
            "`ig4 db upgrade` (it makes a backup first)."
        )
    raise SchemaVersionError(
        f"{where} was made by a newer ig4 (schema {revision}, this one knows {HEAD}): run "
        "`pip install --upgrade ig4`."
    )


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Run the missing migrations in one transaction; returns the revisions before and after.

    Raises:
        SchemaVersionError: the database is from a newer ig4.
        StorageError: it is another program's.
    """
    from alembic import command
    from alembic.config import Config

    with transaction(engine, writes=True) as connection:
        before = current(connection)
        if before is None:
            refuse_strangers(connection, describe(engine.url))
        elif before > HEAD:
            check(before, describe(engine.url))
        config = Config()
        config.set_main_option("script_location", "ig4.storage:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        create_scores_long(connection)
        refresh_scores_wide(connection)
    return before, HEAD
