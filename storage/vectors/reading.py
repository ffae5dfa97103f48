"""Reads vectors wherever they lie: in the database, or in files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sqlalchemy import select

from ig4.storage.bulk import in_values
from ig4.storage.schema import Embedding, InputEmbedding
from ig4.storage.vectors.columnar import VectorFileError
from ig4.storage.vectors.folder import VectorFolderError, numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.storage.store import Store
    from ig4.storage.vectors.folder import VectorFolder

_CHUNK = 10_000
_DIGESTS = 500  # parameters of one IN
_PAUSES = (0.05, 0.1, 0.2, 0.4)  # seconds

T = TypeVar("T")


def read_anew(store: Store, read: Callable[[Connection], T]) -> T:
    """Return what is read in a transaction; in a new one, a few times, where a file is not there.

    Another process may have moved vectors since the transaction began.

    Raises:
        StorageError: it is still not there.
    """
    for pause in _PAUSES:
        try:
            with store.reading() as connection:
                return read(connection)
        except (VectorFileError, VectorFolderError):
            time.sleep(pause)
    with store.reading() as connection:
        return read(connection)


def of_images(
    connection: Connection, folder: VectorFolder, component_id: int, images: Sequence[int]
) -> Iterator[tuple[int, NDArray[np.float32] | str]]:
    """Yield (image id, vector (d,) float32 or the error) for those of `images` that are stored.

    Raises:
        StorageError: a file of vectors cannot be read.
    """
    for start in range(0, len(images), _CHUNK):
        part = [int(value) for value in images[start : start + _CHUNK]]
        known = in_values(connection, Embedding.image_id, part)
        yield from _read(connection, folder, component_id, Embedding, Embedding.image_id, known)


def of_inputs(
    connection: Connection, folder: VectorFolder, component_id: int, digests: NDArray[np.void]
) -> Iterator[tuple[bytes, NDArray[np.float32] | str]]:
    """Yield (digest, vector (d,) float32 or the error) of those of `digests` that are stored.

    Raises:
        StorageError: a file of vectors cannot be read.
    """
    for start in range(0, len(digests), _DIGESTS):
        part = [one.tobytes() for one in digests[start : start + _DIGESTS]]
        known = InputEmbedding.digest.in_(part)
        table = InputEmbedding
        yield from _read(connection, folder, component_id, table, table.digest, known)


def _read(
    connection: Connection,
    folder: VectorFolder,
    component_id: int,
    table: Any,
    key: Any,
    known: Any,
) -> Iterator[tuple[Any, NDArray[np.float32] | str]]:
    columns = (key, table.vector, table.error, table.file_id, table.file_row)
    rows = connection.execute(
        select(*columns).where(table.component_id == component_id, known)
    ).all()
    outside = _taken(connection, folder, [(file, row) for *_, file, row in rows])
    for place, (one, vector, error, file, _) in enumerate(rows):
        if file is not None:
            yield one, outside[place]
        elif vector is None:
            yield one, error or "the embedding failed"
        else:
            yield one, np.frombuffer(vector, dtype="<f4").astype(np.float32, copy=False)


def filled(
    connection: Connection, folder: VectorFolder, rows: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return rows of a table of vectors by column, as they are if all lie in the database.

    Raises:
        StorageError: a file of vectors cannot be read.
    """
    known = list(rows)
    outside = _taken(connection, folder, [(row["file_id"], row["file_row"]) for row in known])
    return [
        {**row, "vector": outside[place].astype("<f4").tobytes(), "file_id": None, "file_row": None}
        if place in outside
        else dict(row)
        for place, row in enumerate(known)
    ]


def _taken(
    connection: Connection, folder: VectorFolder, places: Sequence[tuple[int | None, int | None]]
) -> dict[int, NDArray[np.float32]]:
    """Return the vectors of those rows that lie in files, by their place among the rows."""
    outside = [n for n, (file, _) in enumerate(places) if file is not None]
    if not outside:
        return {}
    files = numbers(places[n][0] for n in outside)
    rows = numbers(places[n][1] for n in outside)
    return dict(zip(outside, folder.take(connection, files, rows), strict=True))
