"""Describe, upgrade, back up and count a score database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, inspect, select

from ig4.storage.connect import connect, describe, is_sqlite, parse, transaction
from ig4.storage.errors import DatabaseMissingError, StorageError
from ig4.storage.schema import Base
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
        backup_path = backup(location)
    engine = connect(url)
    try:
        before, after = upgrade(engine)
    finally:
        engine.dispose()
    return before, after, backup_path


def backup(location: str | Path, target: Path | None = None) -> Path:
    """Copy a SQLite database, even while it is in use; returns the path of the copy.

    Raises:
        StorageError: the target exists, cannot be written, or the database is PostgreSQL.
    """
    url = existing_url(location)
    if not is_sqlite(url):
        raise StorageError("ig4 backs up SQLite only: use pg_dump for PostgreSQL.")
    source = Path(url.database or "")
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = target or source.with_name(f"{source.stem}.{stamp}.backup{source.suffix}")
    _create(path)
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(path)) as new:
            old.backup(new)
    except sqlite3.Error as error:
        path.unlink(missing_ok=True)
        raise StorageError(f"The backup to {path} failed: {error}.") from None
    return path


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
