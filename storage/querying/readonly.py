"""Opens a SQLite file to read it, whoever may write there, and never creates or changes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from ig4.storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class ReadOnlyFile:
    """An open SQLite file; `note` says what the reader should know about it, if anything."""

    connection: sqlite3.Connection
    note: str | None = None


Opened = TypeVar("Opened", bound=sqlite3.Connection)

FileState: TypeAlias = tuple[int, int, int]
"""The number, size and time of a file."""


class AsItStands(sqlite3.Connection):
    """A connection to a file that is read as if nobody could change it."""

    file: Path
    state: FileState

    def check(self) -> None:
        """Refuse to go on where somebody did.

        Raises:
            StorageError: the file was changed.
        """
        if has_log(self.file) or file_state(self.file) != self.state:
            raise StorageError(
                f"{self.file} was changed by another program while it was read: read again."
            )


def open_as_it_stands(path: Path) -> AsItStands:
    """Return a connection to a file without a log, which makes no files beside it."""
    before = file_state(path)
    connection = _connect(path, "mode=ro&immutable=1", AsItStands, check_same_thread=False)
    connection.file, connection.state = path, before
    return connection


@contextmanager
def open_readonly(path: Path, *, check_same_thread: bool = True) -> Iterator[ReadOnlyFile]:
    """Yield a connection that can only read.

    SQLite shares its write-ahead log through files beside the database. Where these can neither be
    found nor made (a folder that is read-only), the database is read as a file that does not
    change: only if it has no log, and the file is the same when it was read.

    Raises:
        StorageError: it cannot be opened, or it changed while it was read without its log.
    """
    connection = _connect(path, "mode=ro", sqlite3.Connection, check_same_thread=check_same_thread)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for a damaged name
        connection.close()
        if not _needs_log(error):
            raise StorageError(_unreadable(path, error)) from None
    else:
        with closing(connection):
            yield ReadOnlyFile(connection)
        return
    if has_log(path):
        raise StorageError(
            f"{path} cannot be read here: newer changes lie in {path.name}-wal, and reading them "
            "needs a folder that can be written. Copy both files to one, and read them there."
        )
    with closing(open_as_it_stands(path)) as standing:
        yield ReadOnlyFile(
            standing, f"{path} lies where nothing can be written: it is read as it stands."
        )
        standing.check()


def _connect(path: Path, parameters: str, kind: type[Opened], *, check_same_thread: bool) -> Opened:
    try:
        return sqlite3.connect(
            f"file:{quote(str(path))}?{parameters}",
            uri=True,
            isolation_level=None,
            check_same_thread=check_same_thread,
            factory=kind,
        )
    except sqlite3.Error as error:
        raise StorageError(_unreadable(path, error)) from None


def _needs_log(error: Exception) -> bool:
    if not isinstance(error, sqlite3.Error):
        return False
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def has_log(path: Path) -> bool:
    """Tell whether changes may lie in the log, or another process may have the file open."""
    log, shared = (path.with_name(path.name + ending) for ending in ("-wal", "-shm"))
    return log.exists() and (shared.exists() or log.stat().st_size > 0)


def file_state(path: Path) -> FileState:
    """Return what tells whether a file was changed."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _unreadable(path: Path, error: Exception) -> str:
    return f"{path} cannot be opened for reading: {error}. Check that it is an ig4 database."
