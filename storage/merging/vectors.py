"""Takes over vectors of images and of texts, and those that lie in files beside the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from ig4.storage.bulk import in_values
from ig4.storage.integrity.checksums import of_input, of_vector
from ig4.storage.merging.merging import Merging, columns, in_order
from ig4.storage.schema import Embedding, InputEmbedding
from ig4.storage.transfer.folders import copy_folder
from ig4.storage.transfer.upserting import add_rows
from ig4.storage.vectors.columnar import VectorFileError
from ig4.storage.vectors.moving import VectorMover
from ig4.storage.vectors.reading import filled

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.vectors.folder import VectorFolder

CHUNK = 2000
"""So many vectors are in memory at a time."""

_DIGESTS = 500  # parameters of one IN

_LOST = b""
"""Stands for a vector here whose file is gone, or damaged."""


def take_vectors(merging: Merging) -> None:
    """Take over what embedders made of images and of texts; failures, too."""
    _take(merging, Embedding, "image_id", of_vector, merging.images.get)
    _take(merging, InputEmbedding, "digest", of_input, lambda digest: digest)


def take_vector_files(merging: Merging) -> None:
    """Copy the files of vectors beside the other database; their names are digests of them."""
    copied = copy_folder(
        merging.source.vector_folder, merging.store.vector_folder, dry_run=merging.dry_run
    )
    merging.result.files += copied.copied
    merging.result.file_bytes += copied.bytes


def _take(
    merging: Merging,
    model: Any,
    key: str,
    crc: Callable[..., int],
    own: Callable[[Any], Any],
) -> None:
    table = model.__tablename__
    tally = merging.result.of(table)
    names = columns(model)
    mover, replaced = VectorMover(merging.store), 0
    for stored in merging.rows(model, chunk=CHUNK):
        source = merging.source
        rows = _readable(source.connection, source.vectors, stored)
        good = [row for row in rows if _is_sound(row, key, crc)]
        tally.damaged += len(rows) - len(good)
        mapped = _mapped(merging, good, key, own)
        tally.left_out += len(good) - len(mapped)
        with merging.store.reading() as connection:
            found = _vectors(connection, merging.store.vectors, model, key, mapped)
        wanted = [row for row in mapped if _wins(tally, row, key, found)]
        lost = [row for row in wanted if found.get((row["component_id"], row[key])) == _LOST]
        replaced += len(lost)
        if merging.dry_run or not wanted:
            continue
        for row in wanted:
            row["crc"] = crc(row["component_id"], row[key], row["vector"], row["error"])
        with merging.store.writing() as connection:
            _free(connection, model, key, lost)
            add_rows(
                connection,
                table,
                names,
                in_order(names, wanted),
                key=("component_id", key),
                replace=f"{table}.vector IS NULL",
            )
        _move(mover, model, wanted)
    if replaced:
        merging.result.notes.append(
            f"{replaced:,} of the vectors here lay in files that are gone or damaged, and "
            f"{'would be' if merging.dry_run else 'were'} replaced: `ig4 db check` tells of others"
        )
    if not merging.dry_run:
        mover.finish()


def _free(connection: Connection, model: Any, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Delete rows whose vectors lie in files that do not give them."""
    for row in rows:
        mine = (model.component_id == row["component_id"], getattr(model, key) == row[key])
        connection.execute(delete(model).where(*mine, model.file_id.is_not(None)))


def _move(mover: VectorMover, model: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Let vectors that were taken over go into files, where this database has a folder for them."""
    sizes: Counter[int] = Counter()
    for row in rows:
        sizes[row["component_id"]] += len(row["vector"] or b"")
    for component, size in sizes.items():
        mover.add(model, component, size)


def _is_sound(row: Mapping[str, Any], key: str, crc: Callable[..., int]) -> bool:
    stored = (row["component_id"], row[key], row["vector"], row["error"])
    if (row["vector"] is None) == (row["error"] is None):
        return False  # its file is gone, or damaged
    return row["crc"] is None or row["crc"] == crc(*stored)


def _readable(
    connection: Connection, folder: VectorFolder, rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return rows with their vectors; one that its file does not give has none, and no error.

    Raises:
        StorageError: this machine does not see the folder of the files.
    """
    try:
        return filled(connection, folder, rows)
    except VectorFileError:
        if len(rows) == 1:
            return [{**rows[0], "vector": None}]
        half = len(rows) // 2
        first = _readable(connection, folder, rows[:half])
        return first + _readable(connection, folder, rows[half:])


def _mapped(
    merging: Merging, rows: Sequence[Mapping[str, Any]], key: str, own: Callable[[Any], Any]
) -> list[dict[str, Any]]:
    mapped = []
    for row in rows:
        component, named = merging.components.get(row["component_id"]), own(row[key])
        if component is not None and named is not None:
            ids = {"component_id": component, key: named}
            mapped.append({**row, **ids, "run_id": merging.runs.get(row["run_id"])})
    return mapped


def _vectors(
    connection: Connection,
    folder: VectorFolder,
    model: Any,
    key: str,
    rows: Sequence[Mapping[str, Any]],
) -> dict[tuple[int, Any], bytes | None]:
    """Return the vectors that are here under the rows' keys.

    None stands for a failure, `_LOST` for one that its file does not give.
    """
    found: dict[tuple[int, Any], bytes | None] = {}
    column = getattr(model, key)
    by_component = itemgetter("component_id")
    for component, mine in groupby(sorted(rows, key=by_component), by_component):
        keys = [row[key] for row in mine]
        for start in range(0, len(keys), _DIGESTS):
            part = keys[start : start + _DIGESTS]
            known = column.in_(part) if key == "digest" else in_values(connection, column, part)
            columns = (column.label("key"), model.vector, model.file_id, model.file_row)
            statement = select(*columns).where(model.component_id == component, known)
            stored = [dict(row) for row in connection.execute(statement).mappings()]
            for row in _readable(connection, folder, stored):
                is_lost = row["vector"] is None and row["file_id"] is not None
                found[component, row["key"]] = _LOST if is_lost else row["vector"]
    return found


def _wins(
    tally: Any, row: Mapping[str, Any], key: str, found: Mapping[tuple[int, Any], bytes | None]
) -> bool:
    """Tell whether a vector is to be stored here, and count it."""
    own = row["component_id"], row[key]
    if own not in found:
        tally.taken += 1
        return True
    vector = found[own]
    if vector in (None, _LOST) and row["vector"] is not None:
        tally.replaced += 1
        return True
    if row["vector"] is not None and vector != row["vector"]:
        tally.conflicts += 1
    else:
        tally.equal += 1
    return False
