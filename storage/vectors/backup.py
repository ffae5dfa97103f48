"""Copies the vector files of a SQLite database for a backup of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from ig4.storage.durable import name_durably
from ig4.storage.errors import StorageError
from ig4.storage.settings import VECTOR_FOLDER, VECTOR_LEFT, VECTOR_MOVER, VECTOR_OWNER
from ig4.storage.vectors.folder import beside, file_path
from ig4.storage.vectors.ownermark import new_number, write_mark


def copy_vectors(source: Path, copied: Path, named: Path) -> Path | None:
    """Copy the files that a copied database refers to, and let it refer to the copies.

    They go into a folder beside the file that the copy will be `named`. Returns that folder, None
    if no vectors lie in files.

    Raises:
        StorageError: a file cannot be copied, or the folder is there already.
    """
    with closing(sqlite3.connect(copied, isolation_level=None)) as connection:
        recorded = _recorded(connection)
        _forget(connection)
        if recorded is None:
            return None
        names = [name for (name,) in connection.execute("SELECT name FROM vector_files")]
        folder = named.with_name(f"{named.name}-vector-files")
        made = False
        try:
            folder.mkdir()
            made = True
            for name in names:
                _copy(file_path(beside(source) / recorded, name), file_path(folder, name))
            owner = new_number()  # not the source's: each is to use its own folder alone
            write_mark(folder, owner, os.path.realpath(named))
        except BaseException as error:
            if made:
                remove_copy(folder)
            if not isinstance(error, OSError):
                raise
            raise StorageError(
                f"The vector files of {source} cannot be copied to {folder}: "
                f"{error.filename or ''} {error.strerror or error}. `ig4 db check` tells which are "
                "gone, and with --repair frees what they held to be computed again."
            ) from None
        connection.executemany(
            "REPLACE INTO settings (name, value) VALUES (?, ?)",
            ((VECTOR_FOLDER, folder.name), (VECTOR_OWNER, owner)),
        )
    return folder


def remove_copy(folder: Path | None) -> None:
    """Remove the files of a backup that was given up."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _forget(connection: sqlite3.Connection) -> None:
    """Take away what holds for the source alone: its number, and what moves there just now."""
    with suppress(sqlite3.OperationalError):  # its schema is older
        connection.executemany(
            "DELETE FROM settings WHERE name = ?",
            ((VECTOR_OWNER,), (VECTOR_MOVER,), (VECTOR_LEFT,)),
        )


def _recorded(connection: sqlite3.Connection) -> str | None:
    """Return the folder that a database names, None if its schema is older than such folders."""
    try:
        row = connection.execute(
            "SELECT value FROM settings WHERE name = ?", (VECTOR_FOLDER,)
        ).fetchone()
    except sqlite3.OperationalError:
        return None
    return None if row is None else str(row[0])


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    partial = target.with_name(f".{target.name}.part")
    shutil.copyfile(file, partial)
    name_durably(partial, target)
