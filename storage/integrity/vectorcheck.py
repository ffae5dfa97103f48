"""Reads vectors for their check: what lies in files, row by row where a file is damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from ig4.storage.vectors.columnar import VectorFileError
from ig4.storage.vectors.folder import numbers

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.vectors.folder import VectorFolder

Result: TypeAlias = tuple[int, Any, Any, "str | None", "int | None"]
"""Component, key, value, error, checksum."""

_CHUNK = 2000


def with_vectors(
    connection: Connection, folder: VectorFolder, rows: Iterable[Sequence[Any]]
) -> Iterator[Result]:
    """Yield (component, key, vector, error, checksum) of rows that have file and row behind that.

    A vector that its file does not give is None; the error is None, too, as no stored row is.

    Raises:
        StorageError: this machine does not see the folder of files.
    """
    waiting = iter(rows)
    while part := list(islice(waiting, _CHUNK)):
        outside = [(n, row[5], row[6]) for n, row in enumerate(part) if row[5] is not None]
        found = _vectors(connection, folder, outside)
        for n, (component, key, vector, error, crc, file, _) in enumerate(part):
            yield component, key, vector if file is None else found.get(n), error, crc


def _vectors(
    connection: Connection, folder: VectorFolder, places: Sequence[tuple[int, int, int]]
) -> dict[int, bytes]:
    """Return the bytes of those of the vectors (number, file, row) that can be read."""
    try:
        files = numbers(file for _, file, _ in places)
        rows = numbers(row for _, _, row in places)
        vectors = folder.take(connection, files, rows)
    except VectorFileError:
        if len(places) == 1:
            return {}
        half = len(places) // 2
        first, second = places[:half], places[half:]
        return _vectors(connection, folder, first) | _vectors(connection, folder, second)
    mine = [n for n, _, _ in places]
    return {n: one.astype("<f4").tobytes() for n, one in zip(mine, vectors, strict=True)}
