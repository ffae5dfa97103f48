"""Marks a folder of vector files as that of one database: no other one is to use it, too."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ig4.storage import settings
from ig4.storage.connect import describe, is_sqlite
from ig4.storage.durable import name_durably
from ig4.storage.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

MARK = "ig4-database.json"
"""The name of the file that says whose vectors lie in a folder."""

_ABOUT = "Vectors of one ig4 database lie here. Keep this file with them."


class ForeignFolderError(StorageError):
    """A folder is that of another database, or of the one that this is a copy of."""


@dataclass(frozen=True, slots=True)
class FolderMark:
    """Whose folder it is: a number that a database gave itself, and where that one lay then."""

    owner: str
    location: str


def own_number(connection: Connection) -> str:
    """Return the number of a database, which is given to it where it has none yet."""
    known = settings.find(connection, settings.VECTOR_OWNER)
    if known is None:
        known = new_number()
        settings.put(connection, settings.VECTOR_OWNER, known)
    return known


def new_number() -> str:
    """Return a number that no database has."""
    return uuid.uuid4().hex


def unrecorded_number(folder: Path | None, url: URL) -> str | None:
    """Return the number that a database has marked a folder with before it was killed."""
    mark = None if folder is None else read_mark(folder)
    return mark.owner if mark is not None and mark.location == _place(url) else None


def read_mark(folder: Path) -> FolderMark | None:
    """Return the mark of a folder, None if it has none that can be read."""
    try:
        found = json.loads((folder / MARK).read_text(encoding="utf-8"))
        return FolderMark(str(found["owner"]), str(found["database"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def mark_folder(folder: Path, owner: str, url: URL) -> None:
    """Mark a folder as that of a database, which may have marked it before.

    Raises:
        ForeignFolderError: it is another's, or that of the database that this one is a copy of.
        StorageError: the mark cannot be written or read.
    """
    wanted = FolderMark(owner, _place(url))
    known = read_mark(folder)
    if known == wanted:
        return
    try:
        if known is None:
            known = _create(folder, wanted)
        if known == wanted:
            return
        _require_same(folder, known, wanted, url)
        _write(folder, wanted)  # the database has another place by now
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}.") from None


def write_mark(folder: Path, owner: str, location: str) -> None:
    """Write the mark of a folder that nobody else knows of.

    Raises:
        OSError: it cannot be written.
    """
    _write(folder, FolderMark(owner, location))


def remove_mark(folder: Path) -> None:
    """Remove the mark of a folder that holds nothing else."""
    with suppress(OSError):
        if [one.name for one in folder.iterdir()] == [MARK]:
            (folder / MARK).unlink()


def _place(url: URL) -> str:
    return os.path.realpath(url.database or "") if is_sqlite(url) else describe(url)


def _create(folder: Path, mark: FolderMark) -> FolderMark:
    """Write a mark unless there is one by now; returns the one that is there.

    Raises:
        StorageError: what is there cannot be read.
    """
    partial = _write_partial(folder, mark)
    try:
        os.link(partial, folder / MARK)  # of two databases at a time, one is the first
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not (folder / MARK).exists():
            partial.replace(folder / MARK)
    finally:
        partial.unlink(missing_ok=True)
    known = read_mark(folder)
    if known is None:
        raise StorageError(
            f"{folder / MARK} does not say whose vectors lie there: delete it if no other "
            "database has its vectors in this folder, or name another folder."
        )
    return known


def _write(folder: Path, mark: FolderMark) -> None:
    name_durably(_write_partial(folder, mark), folder / MARK)


def _write_partial(folder: Path, mark: FolderMark) -> Path:
    partial = folder / f".{MARK}.{os.getpid()}.part"
    content = {"about": _ABOUT, "database": mark.location, "owner": mark.owner}
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return partial


def _require_same(folder: Path, known: FolderMark, own: FolderMark, url: URL) -> None:
    if known.owner != own.owner:
        raise ForeignFolderError(
            f"{folder} is for the vectors of another database ({known.location}): name a folder "
            f"that only this database uses, or delete {MARK} there if that one is gone."
        )
    if not is_sqlite(url) and _name_in(known.location) not in (None, url.database):
        raise ForeignFolderError(
            f"{describe(url)} looks like a copy of {known.location}, whose vectors lie in "
            f"{folder}, and is only to read them: `ig4 db copy` makes a copy that holds its "
            "vectors itself. If it is that database under a new name, write its new address into "
            f"{folder / MARK}."
        )
    if is_sqlite(url) and _number_in(Path(known.location)) == own.owner:
        raise ForeignFolderError(
            f"{describe(url)} is a copy of {known.location}, whose vectors lie in {folder}, and is "
            "only to read them: `ig4 db copy` makes a copy that holds its vectors itself."
        )


def _name_in(location: str) -> str | None:
    """Return the name of the database on a server that a mark names, None if it names none."""
    try:
        return make_url(location).database
    except ArgumentError:
        return None


def _number_in(file: Path) -> str | None:
    """Return the number of the SQLite database in a file, None if there is none."""
    if not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as connection:
            row = connection.execute(
                "SELECT value FROM settings WHERE name = ?", (settings.VECTOR_OWNER,)
            ).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else str(row[0])
