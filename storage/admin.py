"""Look after a score database: where it is, what it holds, and a copy of it."""

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


def existing(location: str | Path) -> URL:
    """Return the URL of a database that exists.

    Raises:
        DatabaseMissingError: the SQLite file does not exist.
    """
    url = parse(location)
    if is_sqlite(url) and not Path(url.database or "").is_file():
        raise DatabaseMissingError(f"There is no score database at {describe(url)}.")
    return url


def describe_database(location: str | Path) -> Mapping[str, Any]:
    """Return location, whether it exists, its schema version and the one that ig4 knows."""
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


def bring_up_to_date(location: str | Path) -> tuple[str | None, str, Path | None]:
    """Back up (SQLite) and migrate; returns versions before and after, and the backup's path."""
    url = existing(location)
    saved = None
    facts = describe_database(location)
    if is_sqlite(url) and facts["version"] not in (None, HEAD):
        saved = backup(location)
    engine = connect(url)
    try:
        before, after = upgrade(engine)
    finally:
        engine.dispose()
    return before, after, saved


def backup(location: str | Path, target: Path | None = None) -> Path:
    """Copy a SQLite database while others may use it; returns the copy's path.

    Raises:
        StorageError: the target exists, cannot be written, or the database is PostgreSQL.
    """
    url = existing(location)
    if not is_sqlite(url):
        raise StorageError("PostgreSQL is backed up by its own tool: pg_dump.")
    source = Path(url.database or "")
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    goal = target or source.with_name(f"{source.stem}.{stamp}.backup{source.suffix}")
    if goal.exists():
        raise StorageError(f"{goal} exists already: name another file.")
    goal.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(goal)) as new:
            old.backup(new)
    except sqlite3.Error as error:
        goal.unlink(missing_ok=True)
        raise StorageError(f"The backup to {goal} failed: {error}.") from None
    return goal


def stats(location: str | Path) -> Mapping[str, Any]:
    """Return the number of rows of every table there is, and the file's size in bytes.

    Raises:
        StorageError: it holds no tables of ig4.
    """
    url = existing(location)
    engine = connect(url)
    try:
        with transaction(engine, writes=False) as connection:
            version = current(connection)
            if version is None:
                raise StorageError(f"{describe(url)} holds no ig4 tables: name another with --db.")
            there = set(inspect(connection).get_table_names())  # an older ig4 made fewer
            rows = {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in Base.metadata.sorted_tables
                if table.name in there
            }
    finally:
        engine.dispose()
    size = Path(url.database or "").stat().st_size if is_sqlite(url) else None
    return {"location": describe(url), "version": version, "bytes": size, "rows": rows}
