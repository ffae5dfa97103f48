"""Open a score database: URLs, connections, transactions and their errors."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from ig4.storage.errors import (
    ConnectionLostError,
    DatabaseBusyError,
    StorageError,
    UnwritableError,
)
from ig4.storage.querying.readonly import AsItStands, has_log, open_as_it_stands

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_SILENT = logging.NullHandler()
"""Else Python prints tracebacks where Ctrl-C meets a connection that is just being closed."""

DEFAULT = "ig4.db"
BUSY_SECONDS = 15
"""How long a writer waits for the write lock before it fails."""


def parse(location: str | Path) -> URL:
    """Return the SQLAlchemy URL for a path or a URL.

    Raises:
        StorageError: the URL cannot be read, or names a database that is not supported.
    """
    text = str(location)
    if "://" not in text:
        return make_url("sqlite://").set(database=str(Path(text).expanduser().absolute()))
    try:
        url = make_url(text)
    except ArgumentError:
        raise StorageError(
            "the database URL cannot be read: write sqlite:///file.db or "
            "postgresql://user@host/name"
        ) from None
    if url.get_backend_name() == "postgresql" and url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StorageError(
            f"{url.get_backend_name()} databases are not supported: use SQLite (a file name) or "
            "PostgreSQL (postgresql://…)"
        )
    return url


def describe(url: URL) -> str:
    """Return the location as text to show, with any password hidden."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    # The driver also accepts passwords in the query, where SQLAlchemy does not hide them.
    secret = [name for name in url.query if "password" in name.lower()]
    return url.difference_update_query(secret).render_as_string(hide_password=True)


def is_sqlite(url: URL) -> bool:
    """Return whether the database is SQLite."""
    return url.get_backend_name() == "sqlite"


def connect(url: URL) -> Engine:
    """Return an engine for reading and writing; SQLite in WAL mode with foreign keys on.

    Raises:
        StorageError: the driver for the URL is not installed.
    """
    logging.getLogger("sqlalchemy.pool").addHandler(_SILENT)
    try:
        # A connection that broke while nobody used it, for the hours that a model computes, is
        # replaced before it is used again.
        engine = create_engine(url, connect_args=_arguments(url), pool_pre_ping=not is_sqlite(url))
    except (ModuleNotFoundError, NoSuchModuleError):
        raise StorageError('PostgreSQL needs a driver: pip install "ig4[postgres]"') from None
    if is_sqlite(url):
        event.listen(engine, "do_connect", _connect_unwritable)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _arguments(url: URL) -> dict[str, Any]:
    # isolation_level None: the driver must not start its own transactions (see _begin_sqlite).
    return {"timeout": BUSY_SECONDS, "isolation_level": None} if is_sqlite(url) else {}


def _connect_unwritable(
    _dialect: object, _record: object, arguments: list[Any], _options: object
) -> sqlite3.Connection | None:
    """Open a file that lies in a folder where no log can be made; None leaves others to SQLite."""
    path = Path(arguments[0])
    if not path.is_file() or os.access(path.parent, os.W_OK) or has_log(path):
        return None
    return open_as_it_stands(path)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise  # a file that may not be written can be read
    connection.create_function("ig4_says", 2, _says, deterministic=True)
    cursor.execute("PRAGMA fullfsync = ON")  # macOS: to the disk itself, where it is synced at all
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -65536")  # 64 MiB
    cursor.execute("PRAGMA mmap_size = 268435456")  # read without copying, 256 MiB of it
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("PRAGMA wal_autocheckpoint = 16384")  # 64 MiB: fewer syncs in long writes
    cursor.close()


def _says(text: str | None, folded: str) -> bool:
    """Tell whether a text has a word in it, which is given in its folded case."""
    return text is not None and folded in text.casefold()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at the start: a transaction that reads first, and meets another
    # writer when it wants to write, fails at once instead of waiting.
    options = connection.get_execution_options()
    opened = connection.connection.dbapi_connection
    if isinstance(opened, AsItStands):
        opened.check()
    # In WAL mode a killed process loses nothing either way; NORMAL may lose it in a power cut.
    level = "FULL" if options.get("ig4_durable", False) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {level}")  # SQLite takes it outside only
    immediate = options.get("ig4_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


_COMMIT_TO_DISK = (
    "SELECT set_config('synchronous_commit', 'on', true) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)
"""For this transaction only: a server may be told not to wait for its disk."""


@contextmanager
def transaction(
    engine: Engine,
    *,
    writes: bool,
    durable: bool = False,
    connection_of: Callable[[], Connection] | None = None,
) -> Iterator[Connection]:
    """Yield a connection inside one transaction, committed at the end, rolled back on an error.

    A `durable` one is on the disk when the block has ended: a power cut does not undo it. It
    is made of `connection_of`, if that is given.

    Raises:
        DatabaseBusyError: another process held the write lock for BUSY_SECONDS.
        StorageError: the disk is full, the file is not a database, or the server is unreachable.
    """
    with translate_errors(engine.url), (connection_of or engine.connect)() as opened:
        connection = opened.execution_options(ig4_writes=writes, ig4_durable=durable)
        with connection.begin(), _lost_before_commit(connection):
            if durable and not is_sqlite(engine.url):
                connection.exec_driver_sql(_COMMIT_TO_DISK)
            yield connection


T = TypeVar("T")
_TRIES = 5


def repeat_if_lost(work: Callable[[], T], *, idempotent: bool) -> T:
    """Do work that is one transaction; once more if the connection breaks in the middle of it.

    If the connection breaks while the transaction is committed, nobody can know whether it was.
    Then only `idempotent` work, which may be done twice, is repeated.

    Raises:
        ConnectionLostError: it broke again and again, or at a time when repeating is not safe.
    """
    for left in reversed(range(_TRIES)):
        try:
            return work()
        except ConnectionLostError as error:
            if not left or not (idempotent or error.committed is False):
                raise
    raise AssertionError


@contextmanager
def _lost_before_commit(connection: Connection) -> Iterator[None]:
    """Say of a connection that breaks inside that its transaction is undone."""
    try:
        with translate_errors(connection.engine.url):
            yield
    except ConnectionLostError as error:
        error.committed = False
        if not connection.invalidated:  # the driver's own cursor broke: nothing to roll back
            connection.invalidate()
        raise


@contextmanager
def translate_errors(url: URL) -> Iterator[None]:
    """Turn errors of the database driver into errors that say what to do."""
    try:
        yield
    except DBAPIError as error:
        raise explain(error.orig or error, url, lost=error.connection_invalidated) from error
    except _driver_errors(url) as error:  # of the driver's own cursor, see `arrays`
        raise explain(error, url, lost=_is_lost(error, url)) from error


def _driver_errors(url: URL) -> type[BaseException]:
    if is_sqlite(url):
        return sqlite3.Error
    import psycopg

    return psycopg.Error


def _is_lost(error: BaseException, url: URL) -> bool:
    if is_sqlite(url):
        return False
    import psycopg

    # Without a code of the server it is the connection itself that failed.
    ended = (psycopg.errors.AdminShutdown, psycopg.errors.CrashShutdown)
    return isinstance(error, ended) or type(error) is psycopg.OperationalError


def explain(error: BaseException, url: URL, *, lost: bool = False) -> StorageError:
    """Return the ig4 error for an error of the database driver; `lost`: the connection broke."""
    where = describe(url)
    text = str(error).strip()
    if lost:
        return ConnectionLostError(
            f"The connection to {where} broke ({text.splitlines()[0] if text else 'closed'}). What "
            "was committed is safe; the same command continues from there."
        )
    if "locked" in text or "busy" in text:
        return DatabaseBusyError(
            f"{where} is locked by another process that writes to it. Wait until that run ends; "
            "for several writers at a time, use PostgreSQL (--db postgresql://…)."
        )
    if "disk is full" in text or "disk I/O" in text or "No space left" in text:
        return StorageError(
            f"{where} cannot grow: {text}. Committed data is safe; free some space and start again."
        )
    if "readonly" in text or "read-only" in text or text.startswith("permission denied for table"):
        told = text.splitlines()[0]
        return UnwritableError(f"{where} cannot be written: {told}. Check the permissions.")
    if "unable to open" in text:
        return StorageError(
            f"{where} cannot be opened: check that its folder exists and that you may write there."
        )
    if "not a database" in text or "malformed" in text:
        return StorageError(
            f"{where} is not an ig4 database, or it is damaged ({text}): restore a backup, or name "
            "another file with --db."
        )
    return StorageError(f"{where}: {text.splitlines()[0] if text else type(error).__name__}")
