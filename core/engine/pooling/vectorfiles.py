"""Arrays that can be made again, in memory-mapped .npy files beside the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np

from ig4.core.errors import UsageError
from ig4.core.files.writing.atomic import replacing

if TYPE_CHECKING:
    from numpy.typing import NDArray

Blocks: TypeAlias = "Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]"
"""Rows of a matrix, a block at a time: which rows (b,), and their vectors (b, d)."""

MAPPED_FROM = 50_000
"""More rows than this lie in a file, and not in memory."""


def read_array(path: Path, rows: int, dtype: type[np.generic]) -> NDArray[np.generic] | None:
    """Return the memory-mapped matrix of a file, None if it is not there, or not whole."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = found.ndim == 2 and len(found) == rows and found.dtype == dtype
    if not whole or path.stat().st_size != getattr(found, "offset", 0) + found.nbytes:
        return None
    return cast("NDArray[np.generic]", found)


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write a matrix, whole or not at all.

    Raises:
        DatasetError: it cannot be written.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def kept_vectors(
    path: Path, rows: int, make: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return the vectors (rows, d) float32 of a file; makes and writes them if it has none."""
    found = read_array(path, rows, np.float32)
    if found is None:
        write_array(path, make())
        found = read_array(path, rows, np.float32)
        assert found is not None
    return cast("NDArray[np.float32]", found)


def assembled(path: Path, rows: int, blocks: Callable[[], Blocks]) -> NDArray[np.float32]:
    """Return vectors (rows, d) float32 that come in blocks: in memory, or in the file if many.

    Raises:
        UsageError: vectors have different lengths.
    """
    if rows <= MAPPED_FROM:
        matrix = np.empty((rows, 0), dtype=np.float32)
        for places, vectors in blocks():
            if matrix.shape[1] == 0:
                matrix = np.empty((rows, vectors.shape[1]), dtype=np.float32)
            matrix[places] = vectors
        return matrix
    found = read_array(path, rows, np.float32)
    if found is None:
        with replacing(path) as partial:
            _write_blocks(partial, rows, blocks())
        found = read_array(path, rows, np.float32)
        assert found is not None
    return cast("NDArray[np.float32]", found)


def _write_blocks(path: Path, rows: int, blocks: Blocks) -> None:
    matrix: np.memmap[tuple[int, ...], np.dtype[np.float32]] | None = None
    for places, vectors in blocks:
        if matrix is None:
            shape = (rows, vectors.shape[1])
            matrix = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        matrix[places] = vectors
    assert matrix is not None
    matrix.flush()


def stacked(
    vectors: list[NDArray[np.float32]], width: int | None, what: str
) -> NDArray[np.float32]:
    """Return vectors as a matrix (n, d).

    Raises:
        UsageError: they have different lengths, or another than `width`.
    """
    lengths = {len(vector) for vector in vectors} | ({width} if width is not None else set())
    if len(lengths) > 1:
        shown = ", ".join(map(str, sorted(lengths)))
        raise UsageError(f"{what}: its vectors have different lengths ({shown})")
    return np.stack(vectors)
