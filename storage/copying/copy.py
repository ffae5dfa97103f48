"""Copies a score database to another place, SQLite or PostgreSQL: every row, every number."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, func, select, text

from ig4.storage.calls import CLAIMED
from ig4.storage.connect import connect, is_sqlite, parse, transaction
from ig4.storage.copying.places import ImagePlaces
from ig4.storage.errors import StorageError
from ig4.storage.schema import (
    Base,
    Embedding,
    ImageFile,
    InputEmbedding,
    LlmCall,
    LlmWorker,
    ScoreClaim,
    Setting,
    VectorFile,
)
from ig4.storage.store import Store
from ig4.storage.transfer.folders import FolderCopy, copy_folder
from ig4.storage.transfer.rows import CHUNK, Row, TableDigest, read_rows, write_rows
from ig4.storage.transfer.source import SourceDatabase, open_source
from ig4.storage.transfer.watching import RowWatcher, unwatched
from ig4.storage.vectors.reading import filled
from ig4.storage.versions import check, create_tables, current, reject_foreign_database
from ig4.storage.views import (
    create_groups_long,
    create_scores_long,
    lock_schema,
    refresh_scores_wide,
    refresh_selections_wide,
)

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Table


_AT_WORK = (ScoreClaim.__table__, LlmWorker.__table__)
_OF_FILES = (VectorFile.__table__, Setting.__table__)
_COPIED = [one for one in Base.metadata.sorted_tables if one not in (*_AT_WORK, *_OF_FILES)]
"""All tables but those of the processes at work, and their claims: none works on the copy. It has
no files of vectors either: it holds them itself."""

_OF_VECTORS = (Embedding.__table__, InputEmbedding.__table__)
_VECTOR_CHUNK = 2000

_CONDITIONS: Mapping[str, str] = {LlmCall.__tablename__: f"state <> '{CLAIMED}'"}
"""Which rows of a table are copied: not the requests that a process is sending. The copy would wait
for a reply that comes to the original."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    """A table that was copied: its rows, and the digest that both databases have of them."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class CopyResult:
    """A copy of a database: what was copied, and compared when the copy was read again."""

    source: str
    target: str
    tables: Mapping[str, TableCopy]
    images: FolderCopy
    vectors: FolderCopy
    note: str | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(one.rows for one in self.tables.values())

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {
            "source": self.source,
            "target": self.target,
            "rows": {name: one.rows for name, one in self.tables.items()},
            "digests": {name: one.digest for name, one in self.tables.items()},
            "verified": ["number of rows of each table", "digest of all rows of each table"],
            "images": _folder_dict(self.images),
            "vectors": _folder_dict(self.vectors),
            "note": self.note,
        }


def _folder_dict(folder: FolderCopy) -> dict[str, Any]:
    return {
        "folder": str(folder.target),
        "shared": folder.shared,
        "copied": folder.copied,
        "bytes": folder.bytes,
        "present": folder.present,
    }


def count_rows(location: str | Path) -> int:
    """Return how many rows a copy of a database would have.

    Raises:
        StorageError: it cannot be read, or is of another version of ig4.
    """
    with open_source(location) as source:
        return sum(_count(source.connection, table) for table in _COPIED)


def copy_database(
    location: str | Path,
    target: str | Path,
    watch: RowWatcher = unwatched,
    *,
    images: Path | None = None,
    vectors: Path | None = None,
) -> CopyResult:
    """Copy a database into one that is empty, or does not exist; the original is only read.

    All rows keep their ids. Left out are processes that are at work on the original, with what they
    have claimed. Rows are written in one transaction, which is committed when the copy
    was read again and has the same rows: a copy that was interrupted has none, and can be made
    anew. Files beside the database are copied before, each under the name that it had, to the
    folders `images` and `vectors`; by default to those that the target uses.

    Raises:
        StorageError: the target holds something already, or cannot be written; the source is of
            another version of ig4, or cannot be read; the copy is not equal to it.
    """
    url = parse(target)
    with open_source(location) as source, _new_file(url):
        engine = connect(url)
        try:
            return _copy(source, Store(engine, images=images, vectors=vectors), watch)
        finally:
            engine.dispose()


def _copy(source: SourceDatabase, target: Store, watch: RowWatcher) -> CopyResult:
    where = target.location
    with transaction(target.engine, writes=False) as connection:
        _require_empty(connection, where)
    images = copy_folder(source.image_folder, target.image_folder)
    vectors = copy_folder(source.vector_folder, target.vector_folder)
    places = ImagePlaces(source.image_folder, target.image_folder)
    with transaction(target.engine, writes=True, durable=True) as connection:
        lock_schema(connection)
        if _require_empty(connection, where) is None:
            create_tables(connection)
        tables = {
            table.name: _copy_table(source, connection, table, places, watch) for table in _COPIED
        }
        _require_equal(connection, tables, where)
        _finish(connection)
    return CopyResult(source.location, where, tables, images, vectors, source.note)


@contextmanager
def _new_file(url: URL) -> Iterator[None]:
    """Make the file of a SQLite database, and take it away if it comes to hold no copy.

    Another process may write a copy to the same file, and be the first.

    Raises:
        StorageError: it cannot be made, or was taken away while it was written.
    """
    if not is_sqlite(url):
        yield
        return
    path = Path(url.database or "")
    made = _make_file(path)
    try:
        before = path.stat()
        yield
        _require_kept(path, before)
    except BaseException:
        if made:
            _take_away(path)
        raise


def _make_file(path: Path) -> bool:
    """Make an empty file; tells whether it was not there yet."""
    if not path.parent.is_dir():
        raise StorageError(f"{path} cannot be written: make the folder {path.parent} first.")
    try:
        path.open("xb").close()
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}.") from None
    return True


def _require_kept(path: Path, before: os.stat_result) -> None:
    if not (path.is_file() and os.path.samestat(path.stat(), before)):
        raise StorageError(f"{path} was taken away while it was written: start again.")


def _take_away(path: Path) -> None:
    """Remove a database without tables, unless another process is about to write some."""
    with (
        suppress(sqlite3.Error, OSError),
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN EXCLUSIVE")
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            for ending in ("", "-wal", "-shm"):
                path.with_name(path.name + ending).unlink(missing_ok=True)


def _require_empty(connection: Connection, where: str) -> str | None:
    """Return the schema version of a database that holds nothing; None if it has no tables.

    Raises:
        StorageError: it holds something, or is of another version, or of another program.
    """
    version = current(connection)
    if version is None:
        reject_foreign_database(connection, where)
        return None
    check(version, where)
    for table in reversed(Base.metadata.sorted_tables):
        if connection.scalar(select(func.count()).select_from(select(table).limit(1).subquery())):
            raise StorageError(
                f"{where} is not empty (it has {table.name.replace('_', ' ')}): name a new "
                "database as the target, or take over what another one has with `ig4 db merge "
                "OTHER`."
            )
    return version


def _count(connection: Connection, table: Table) -> int:
    where = text(_CONDITIONS.get(table.name, "1 = 1"))
    return int(connection.scalar(select(func.count()).select_from(table).where(where)) or 0)


def _copy_table(
    source: SourceDatabase,
    connection: Connection,
    table: Table,
    places: ImagePlaces,
    watch: RowWatcher,
) -> TableCopy:
    digest = TableDigest()
    chunk = _VECTOR_CHUNK if table in _OF_VECTORS else CHUNK
    where = _CONDITIONS.get(table.name, "")
    for rows in read_rows(source.connection, table, where=where, chunk=chunk):
        placed = places.moved(rows) if table is ImageFile.__table__ else rows
        placed = _with_vectors(source, table, rows) if table in _OF_VECTORS else placed
        write_rows(connection, table, placed)
        digest.add(placed)
        watch(table.name, len(rows))
    return TableCopy(digest.rows, digest.value)


def _with_vectors(source: SourceDatabase, table: Table, rows: Sequence[Row]) -> list[Row]:
    """Return rows of a table of vectors as they are if all of them lie in the database."""
    names = [column.name for column in table.columns]
    known = [dict(zip(names, row, strict=True)) for row in rows]
    found = filled(source.connection, source.vectors, known)
    return [tuple(row[name] for name in names) for row in found]


def _require_equal(connection: Connection, tables: Mapping[str, TableCopy], where: str) -> None:
    """Read the copy again.

    Raises:
        StorageError: it has other rows than were written.
    """
    for table in _COPIED:
        digest = TableDigest()
        for rows in read_rows(connection, table):
            digest.add(rows)
        if (digest.rows, digest.value) != (tables[table.name].rows, tables[table.name].digest):
            raise StorageError(
                f"The copy of {table.name} in {where} is not what was read ({digest.rows:,} rows "
                f"of {tables[table.name].rows:,}), so nothing was kept there. Start again; if it "
                "repeats, `ig4 db check` tells whether the original is damaged."
            )


def _finish(connection: Connection) -> None:
    """Make the views, and let PostgreSQL count on from the ids that there are."""
    create_scores_long(connection)
    create_groups_long(connection)
    refresh_scores_wide(connection)
    refresh_selections_wide(connection)
    if connection.dialect.name == "sqlite":
        return
    for table in Base.metadata.sorted_tables:
        if _has_sequence(table):
            # The next number is 1 where there is no row yet.
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                    f'coalesce(max(id), 1), max(id) IS NOT NULL) FROM "{table.name}"'
                )
            )


def _has_sequence(table: Table) -> bool:
    keys = list(table.primary_key)
    return [key.name for key in keys] == ["id"] and isinstance(keys[0].type, Integer)


__all__ = ["CopyResult", "TableCopy", "copy_database", "count_rows"]
