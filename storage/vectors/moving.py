"""Moves vectors from the database into columnar files, and back.

Vectors are committed into the database first, batch by batch, so that nothing is lost when a
process is killed. When there are enough for a file, they move: the file is on the disk before the
transaction that empties their rows is committed. A file that no row tells of is left over from one
that was not.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sqlalchemy import func, insert, select

from ig4.storage import settings
from ig4.storage.errors import ConnectionLostError
from ig4.storage.integrity.seals import seal
from ig4.storage.runs import now
from ig4.storage.schema import Component, Embedding, InputEmbedding
from ig4.storage.schema import VectorFile as VectorFileRow
from ig4.storage.vectors.columnar import NAME, write_vectors
from ig4.storage.vectors.folder import VectorFolderError
from ig4.storage.workers import limit_idleness

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.store import Store

FILE_BYTES = 64 << 20
"""About so many bytes of vectors are a file, unless the database says something else."""

LITTLE = 16
"""This part of a file's bytes, and less, stays in the database at the end of a run."""

VectorTable: TypeAlias = "type[Embedding] | type[InputEmbedding]"
IMAGES: VectorTable = Embedding
INPUTS: VectorTable = InputEmbedding
TABLES = (IMAGES, INPUTS)


def key_of(table: VectorTable) -> str:
    """Return the name of the column that a table's vectors are known by."""
    return "image_id" if table is Embedding else "digest"


class VectorMover:
    """Moves vectors into files while a process commits more and more of them.

    It does nothing where the database keeps its vectors itself.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        with store.reading() as connection:
            self.is_needed = store.vectors.path(connection) is not None
            self._file_bytes = file_bytes(connection)
        self._bytes: dict[tuple[VectorTable, int], int] = {}

    def add(self, table: VectorTable, component_id: int, size: int) -> None:
        """Count bytes of vectors that were committed, and move them if they are enough.

        Raises:
            StorageError: they cannot be written; they stay in the database.
        """
        if not self.is_needed:
            return
        key = table, component_id
        self._bytes[key] = self._bytes.get(key, 0) + size
        if self._bytes[key] >= self._file_bytes:
            move(self.store, table, component_id, at_least=self._file_bytes)
            self._bytes[key] = 0

    def finish(self) -> None:
        """Move what is left of the components that were counted, unless it is little.

        Raises:
            StorageError: as `add`.
        """
        for table, component_id in list(self._bytes):
            move(self.store, table, component_id, at_least=self._file_bytes // LITTLE)
            del self._bytes[table, component_id]


def file_bytes(connection: Connection) -> int:
    """Return about how many bytes of vectors are to be a file."""
    return int(settings.find(connection, settings.VECTOR_FILE_BYTES) or FILE_BYTES)


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: vectors, and the files that were written or taken away."""

    vectors: int = 0
    files: int = 0

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.vectors + other.vectors, self.files + other.files)


def move(store: Store, table: VectorTable, component_id: int, *, at_least: int = 0) -> Moved:
    """Move a component's vectors from the database into files, as long as there are enough bytes.

    What another process moves just now is left to it.

    Raises:
        StorageError: the folder cannot be written; what was not moved is in the database.
    """
    total = Moved()
    while (one := _move_some(store, table, component_id, at_least)).vectors:
        total += one
    return total


def _move_some(store: Store, table: VectorTable, component_id: int, at_least: int) -> Moved:
    """Move a file's worth of vectors in one transaction."""
    path: Path | None = None
    try:
        with store.writing() as connection:
            limit_idleness(connection)
            settings.share(connection, settings.VECTOR_FOLDER)
            folder = store.vectors.path(connection)
            found = _inside(connection, table, component_id) if folder is not None else []
            if folder is None or not found or sum(len(one) for _, one in found) < at_least:
                return Moved()
            _require_there(store, connection)
            name = _new_name(connection, component_id)
            path = folder / name
            keys = [key for key, _ in found]
            _write(connection, path, table, component_id, found)
            file = _record(connection, table, component_id, name, path, found)
            _point(connection, table, component_id, file, keys)
    except BaseException as error:
        unknown = isinstance(error, ConnectionLostError) and error.committed is None
        if path is not None and not unknown:  # else it may be what rows refer to
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise
    return Moved(len(keys), 1)


def _require_there(store: Store, connection: Connection) -> None:
    """Refuse to write into a new folder that has the name of the one which is not there.

    Raises:
        VectorFolderError: it is not there.
    """
    try:
        store.vectors.require_there(connection)
    except VectorFolderError as error:
        raise VectorFolderError(f"{error} New vectors stay in the database.") from None


def _inside(
    connection: Connection, table: VectorTable, component_id: int
) -> list[tuple[Any, bytes]]:
    """Return (key, vector) of a file's worth of vectors of one length, in the order of keys.

    On a server they are locked, and those that another process has locked are left out.
    """
    key = getattr(table, key_of(table))
    length = func.length(table.vector)
    mine = (
        table.component_id == component_id,
        table.file_id.is_(None),
        table.error.is_(None),
        length > 0,  # others are damaged, and stay for the check
        length % 4 == 0,
    )
    size = connection.scalar(select(length).where(*mine).order_by(key).limit(1))
    if not size:
        return []
    rows = connection.execute(
        select(key, table.vector)
        .where(*mine, length == size)
        .order_by(key)
        .limit(max(1, -(-file_bytes(connection) // size)))
        .with_for_update(skip_locked=True)
    )
    return [(one, vector) for one, vector in rows]


def _new_name(connection: Connection, component_id: int) -> str:
    """Return a name within the folder that no file has: a folder for each component."""
    row = connection.execute(
        select(Component.name, Component.fingerprint).where(Component.id == component_id)
    ).one()
    shown = re.sub(r"[^A-Za-z0-9_-]+", "-", row.name)[:40].strip("-") or "component"
    short = re.sub(r"[^A-Za-z0-9]+", "", row.fingerprint)[:12]
    return f"{shown}-{short}/{uuid.uuid4().hex}.parquet"


def _write(
    connection: Connection,
    path: Path,
    table: VectorTable,
    component_id: int,
    found: Sequence[tuple[Any, bytes]],
) -> None:
    about = connection.execute(
        select(Component.name, Component.fingerprint).where(Component.id == component_id)
    ).one()
    vectors = np.frombuffer(b"".join(one for _, one in found), dtype="<f4")
    metadata = {
        "ig4_component": about.name,
        "ig4_fingerprint": about.fingerprint,
        NAME: f"{path.parent.name}/{path.name}",
    }
    write_vectors(
        path,
        key_of(table),
        [key for key, _ in found],
        vectors.reshape(len(found), -1).astype(np.float32, copy=False),
        metadata,
    )


def _record(
    connection: Connection,
    table: VectorTable,
    component_id: int,
    name: str,
    path: Path,
    found: Sequence[tuple[Any, bytes]],
) -> int:
    """Add a file to those that the database knows, and return its id."""
    values = {
        "component_id": component_id,
        "name": name,
        "key": key_of(table),
        "dimensions": len(found[0][1]) // 4,
        "rows": len(found),
        "bytes": path.stat().st_size,
        "created_at": now(),
    }
    statement = insert(VectorFileRow).values(values).returning(VectorFileRow.id)
    file = int(connection.execute(statement).scalar_one())
    seal(connection, VectorFileRow, VectorFileRow.id == file)
    return file


def _point(
    connection: Connection, table: VectorTable, component_id: int, file: int, keys: Sequence[Any]
) -> None:
    """Let rows refer to a file, whose rows have their order; their own vectors are emptied."""
    name, key = table.__tablename__, key_of(table)
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        # Not an UPDATE: SQLite would leave the pages almost empty, and no row would fill them.
        raw.executemany(
            f"REPLACE INTO {name} (component_id, {key}, vector, run_id, crc, file_id, file_row) "
            f"SELECT component_id, {key}, x'', run_id, crc, ?, ? FROM {name} "
            f"WHERE component_id = ? AND {key} = ?",
            ((file, row, component_id, one) for row, one in enumerate(keys)),
        )
        return
    kind = "bigint" if table is Embedding else "bytea"
    raw.execute(
        f"UPDATE {name} SET vector = ''::bytea, file_id = %s, file_row = known.number - 1 "
        f"FROM unnest(%s::{kind}[]) WITH ORDINALITY AS known(key, number) "
        f"WHERE component_id = %s AND {key} = known.key",
        (file, list(keys), component_id),
    )
