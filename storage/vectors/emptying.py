"""Brings the vectors of a file back into the database, and removes the file."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import delete, select

from ig4.storage.schema import VectorFile as VectorFileRow
from ig4.storage.transfer.watching import RowWatcher, unwatched
from ig4.storage.vectors.columnar import VectorFileError
from ig4.storage.vectors.folder import file_path, numbers
from ig4.storage.vectors.moving import IMAGES, TABLES, Moved, VectorTable, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ig4.storage.store import Store

_CHUNK = 10_000


def bring_back(store: Store, file: int, watch: RowWatcher = unwatched) -> Moved:
    """Store the vectors of a file in the database again; the file goes when all are there.

    Raises:
        StorageError: the file cannot be read; what was not stored yet stays in it.
    """
    vectors = 0
    while count := _bring_some(store, file):
        watch("vectors", count)
        vectors += count
    with store.writing() as connection:
        table = VectorFileRow
        name = connection.scalar(select(table.name).where(table.id == file))
        folder = store.vectors.path(connection)
        connection.execute(delete(table).where(table.id == file))
    store.vectors.close()
    if name is not None and folder is not None:
        with suppress(OSError, VectorFileError):  # then it is left over, and told as such
            file_path(folder, name).unlink()
    return Moved(vectors, 1)


def _bring_some(store: Store, file: int) -> int:
    with store.writing() as connection:
        of = VectorFileRow
        known = connection.execute(select(of.component_id, of.key).where(of.id == file)).first()
        if known is None:
            return 0
        table = next(one for one in TABLES if key_of(one) == known.key)
        key = getattr(table, known.key)
        rows = connection.execute(
            select(key, table.file_row)
            .where(table.component_id == known.component_id, table.file_id == file)
            .order_by(table.file_row)
            .limit(_CHUNK)
        ).all()
        if not rows:
            return 0
        places = numbers(row for _, row in rows)
        vectors = store.vectors.take(connection, np.full(len(places), file), places)
        data = [one.astype("<f4").tobytes() for one in vectors]
        _put(connection, table, known.component_id, [one for one, _ in rows], data)
    return len(rows)


def _put(
    connection: Connection,
    table: VectorTable,
    component: int,
    keys: Sequence[Any],
    vectors: Sequence[bytes],
) -> None:
    name, key = table.__tablename__, key_of(table)
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        raw.executemany(
            f"UPDATE {name} SET vector = ?, file_id = NULL, file_row = NULL "
            f"WHERE component_id = ? AND {key} = ?",
            [(vector, component, one) for one, vector in zip(keys, vectors, strict=True)],
        )
        return
    kind = "bigint" if table is IMAGES else "bytea"
    raw.execute(
        f"UPDATE {name} SET vector = known.vector, file_id = NULL, file_row = NULL "
        f"FROM unnest(%s::{kind}[], %s::bytea[]) AS known(key, vector) "
        f"WHERE component_id = %s AND {key} = known.key",
        (list(keys), list(vectors), component),
    )
