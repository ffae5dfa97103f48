"""Opens another score database to take something from it, and never writes there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from ig4.storage.admin import existing_url
from ig4.storage.connect import connect, describe, is_sqlite, transaction, translate_errors
from ig4.storage.errors import SchemaVersionError, StorageError
from ig4.storage.querying.readonly import open_readonly
from ig4.storage.store import Store
from ig4.storage.vectors.folder import VectorFolder
from ig4.storage.versions import HEAD, current

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_ONE_STATE = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@dataclass(frozen=True)
class SourceDatabase:
    """A score database that is read as it was at one moment; `note` is what to know about it."""

    url: URL
    connection: Connection
    note: str | None = None

    @cached_property
    def vectors(self) -> VectorFolder:
        """Reads those of its vectors that lie in files."""
        return VectorFolder(self.url)

    @property
    def location(self) -> str:
        """The path or URL as text to show, with any password hidden."""
        return describe(self.url)

    @property
    def image_folder(self) -> Path:
        """The folder of images that its data sets contain themselves."""
        return Store(connect(self.url)).image_folder

    @property
    def vector_folder(self) -> Path:
        """The folder of the vectors that lie in files beside it."""
        return Store(connect(self.url)).vector_folder


@contextmanager
def open_source(location: str | Path) -> Iterator[SourceDatabase]:
    """Yield a database of this version of ig4, open for reading one state of it.

    Raises:
        DatabaseMissingError: there is none.
        SchemaVersionError: its schema is older or newer; the message names the command to run.
        StorageError: it has no tables of ig4, or cannot be read.
    """
    url = existing_url(location)
    with _connected(url) as (connection, note):
        require_head(connection, url)
        source = SourceDatabase(url, connection, note)
        try:
            yield source
        finally:
            source.vectors.close()


def require_head(connection: Connection, url: URL) -> None:
    """Refuse a database that has not the schema of this ig4; nothing is upgraded.

    Raises:
        StorageError, SchemaVersionError: see `open_source`.
    """
    where, version = describe(url), current(connection)
    if version is None:
        raise StorageError(f"{where} has no ig4 tables: name a database that ig4 has made.")
    if version < HEAD:
        raise SchemaVersionError(
            f"{where} was made by an older ig4 (schema {version}, now {HEAD}), and is only read "
            f"here: run `ig4 db upgrade --db {where}` first (it makes a backup)."
        )
    if version > HEAD:
        raise SchemaVersionError(
            f"{where} was made by a newer ig4 (schema {version}, this one supports {HEAD}): run "
            "`pip install --upgrade ig4`."
        )


@contextmanager
def _connected(url: URL) -> Iterator[tuple[Connection, str | None]]:
    if not is_sqlite(url):
        engine = connect(url)
        try:
            with transaction(engine, writes=False) as connection:
                connection.exec_driver_sql(_ONE_STATE)
                yield connection, None
        finally:
            engine.dispose()
        return
    with open_readonly(Path(url.database or ""), check_same_thread=False) as file:
        raw: sqlite3.Connection = file.connection
        raw.execute("BEGIN")
        reading = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
        with translate_errors(url), reading.connect() as connection:
            yield connection, file.note
