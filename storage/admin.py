"""Describe, upgrade, back up and count a score database."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import func, inspect, select

from ig4.storage.connect import connect, describe, is_sqlite, parse, transaction
from ig4.storage.durable import name_durably
from ig4.storage.errors import DatabaseMissingError, StorageError
from ig4.storage.querying.readonly import open_readonly
from ig4.storage.schema import Base, LlmWorker, ScoreClaim
from ig4.storage.vectors.backup import copy_vectors, remove_copy
from ig4.storage.versions import HEAD, current, upgrade

if TYPE_CHECKING:
    from sqlalchemy import URL


def existing_url(location: str | Path) -> URL:
    """Return the URL of a database that exists.

    Raises:
        DatabaseMissingError: the SQLite file does not exist.
    """
    url = parse(location)
    if is_sqlite(url) and not Path(url.database or "").is_file():
        raise DatabaseMissingError(f"There is no score database at {describe(url)}.")
    return url


def describe_database(location: str | Path) -> Mapping[str, Any]:
    """Return the location, whether the database exists, its schema version and the known one."""
    url = parse(location)
    facts: dict[str, Any] = {"location": describe(url), "known_version": HEAD}
    if is_sqlite(url) and not Path(url.database or "").is_file():
        return facts | {"exists": False, "version": None}
    engine = connect(url)
    try:
        with transaction(engine, writes=False) as connection:
            return facts | {"exists": True, "version": current(connection)}
    finally:
        engine.dispose()


def upgrade_database(location: str | Path) -> tuple[str | None, str, Path | None]:
    """Migrate to the newest schema, after a backup if it is an older SQLite database.

    Returns the versions before and after, and the path of the backup (None if none was made).
    """
    url = existing_url(location)
    backup_path = None
    facts = describe_database(location)
    if is_sqlite(url) and facts["version"] not in (None, HEAD):
        backup_path = backup(location).path
    engine = connect(url)
    try:
        before, after = upgrade(engine)
    finally:
        engine.dispose()
    return before, after, backup_path


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A copy of a database: its path, size in bytes, and number of rows by table.

    `vectors` is the folder of its vector files, None if its vectors lie in the database. `verified`
    says what was looked at when the copy was read again.
    """

    path: Path
    bytes: int
    rows: Mapping[str, int]
    vectors: Path | None = None
    verified: Sequence[str] = ("pages and indexes", "number of rows of each table")

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {
            "path": str(self.path),
            "bytes": self.bytes,
            "vectors": self.vectors and str(self.vectors),
            "verified": list(self.verified),
            "rows": dict(self.rows),
        }


def backup(location: str | Path, target: Path | None = None) -> BackupResult:
    """Copy a SQLite database, even while it is in use.

    Processes at work and what they have claimed are left out. The copy is read again, checked, and
    on the disk before it gets its name. Files of vectors are copied into a folder beside it.

    Raises:
        StorageError: the target exists, cannot be written, the copy is not sound (it is kept beside
            the target), or the database is PostgreSQL.
    """
    url = existing_url(location)
    if not is_sqlite(url):
        raise StorageError("ig4 backs up SQLite only: use pg_dump for PostgreSQL.")
    source = Path(url.database or "")
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = target or source.with_name(f"{source.stem}.{stamp}.backup{source.suffix}")
    _create(path)
    partial = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    vectors: Path | None = None
    try:
        rows = _copy(source, partial)
        vectors = copy_vectors(source, partial, path)
        _require_sound(partial, rows, path.with_name(path.name + ".damaged"))
        name_durably(partial, path)
    except BaseException as error:
        path.unlink(missing_ok=True)
        remove_copy(vectors)
        if isinstance(error, (sqlite3.Error, UnicodeDecodeError)):
            raise StorageError(f"The backup to {path} failed: {error}.") from None
        raise
    finally:
        partial.unlink(missing_ok=True)
    return BackupResult(path, path.stat().st_size, rows, vectors)


def _create(path: Path) -> None:
    """Make a new empty file; what is there, be it a link that leads nowhere, stays.

    Raises:
        StorageError: something is there, or it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.open("xb").close()
        except FileExistsError:
            raise StorageError(f"{path} already exists: name another file.") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from None


_AT_WORK = frozenset({ScoreClaim.__tablename__, LlmWorker.__tablename__})
"""Tables of the processes at work and of their claims: none works on a copy."""


def _copy(source: Path, target: Path) -> Mapping[str, int]:
    """Copy a database as one transaction sees it; returns the number of rows of each table."""
    with (
        open_readonly(source) as old,
        closing(sqlite3.connect(target, isolation_level=None)) as new,
    ):
        old.connection.execute("BEGIN")
        rows = _count_rows(old.connection)
        old.connection.backup(new)
        old.connection.execute("ROLLBACK")
        for table in _AT_WORK & rows.keys():  # in older schemas there are none
            new.execute(f'DELETE FROM "{table}"')
        new.execute("PRAGMA journal_mode = DELETE")  # one file, which can be read anywhere
    return {**rows, **dict.fromkeys(_AT_WORK & rows.keys(), 0)}


def _require_sound(copy: Path, rows: Mapping[str, int], damaged: Path) -> None:
    """Check a copy that should have so many rows; keep one that is not sound as `damaged`.

    Raises:
        StorageError: it is not sound.
    """
    problem = _problem(copy, rows)
    if problem is not None:
        name_durably(copy, damaged)
        raise StorageError(
            f"The backup is not sound ({problem}); it is kept as {damaged}. `ig4 db check` tells "
            "whether the database itself is damaged."
        )


def _problem(copy: Path, rows: Mapping[str, int]) -> str | None:
    """Return what is wrong with a copy that should have so many rows, None if it is sound."""
    with closing(sqlite3.connect(f"file:{quote(str(copy))}?mode=ro", uri=True)) as connection:
        try:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                return str(found)
            counts = _count_rows(connection)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            return str(error)
    differing = [table for table, count in rows.items() if counts.get(table) != count]
    return f"{differing[0]} has another number of rows" if differing else None


def _count_rows(connection: sqlite3.Connection) -> Mapping[str, int]:
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    ).fetchall()
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for (name,) in names
    }


def stats(location: str | Path) -> Mapping[str, Any]:
    """Return the number of rows of every table, and the size of the file in bytes.

    Raises:
        StorageError: the database has no ig4 tables.
    """
    url = existing_url(location)
    engine = connect(url)
    try:
        with transaction(engine, writes=False) as connection:
            version = current(connection)
            if version is None:
                raise StorageError(
                    f"{describe(url)} has no ig4 tables: name another database with --db."
                )
            existing = set(inspect(connection).get_table_names())  # older schemas have fewer
            rows = {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in Base.metadata.sorted_tables
                if table.name in existing
            }
    finally:
        engine.dispose()
    size = Path(url.database or "").stat().st_size if is_sqlite(url) else None
    return {"location": describe(url), "version": version, "bytes": size, "rows": rows}
