"""Reads single images out of a Parquet file: a row group is decoded, and kept for the next one.

Rows are read in their order as a rule, so what is kept serves all images of a row group.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, BinaryIO, NamedTuple

from ig4.core.files.reading.parquetpages import (
    ChunkCost,
    group_costs,
    reading_parquet,
    rows_at_a_time,
)

GROUP_BYTES = 1 << 26
"""What the images of a row group may take, by its footer, to be read where they lie."""

_KEPT_BYTES = 1 << 27
_ROWS = 64
_PREFIX = "cell:"

Images = list[list[bytes]]
"""The images of each row of a row group."""


class Cell(NamedTuple):
    """The image of a number among those that a row (from 0, in the file) has in a column."""

    row: int
    number: int
    column: str

    @property
    def place(self) -> str:
        """The cell as text."""
        return f"{_PREFIX}{self.row}:{self.number}:{self.column}"


def is_cell(place: str) -> bool:
    """Tell whether a place is a cell's."""
    return place.startswith(_PREFIX)


def cell_of(place: str) -> Cell:
    """Return the cell that a place says.

    Raises:
        ValueError: it says none.
    """
    row, number, column = place.removeprefix(_PREFIX).split(":", 2)
    return Cell(int(row), int(number), column)


def read_cell(file: BinaryIO, place: str) -> bytes:
    """Return the image of a cell.

    Raises:
        OSError: the file has no such image any more, is broken, or pyarrow is missing.
        ValueError: the place is none.
    """
    cell = cell_of(place)
    try:
        first, images = _GROUPS.get(file, cell)
        return images[cell.row - first][cell.number]
    except IndexError:
        raise OSError(errno.EIO, "the file has no such image any more") from None


class _Groups:
    """The images of the row groups that were read last, of a bounded number of bytes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._size = 0
        self._kept: OrderedDict[tuple[Any, ...], tuple[int, Images, int]] = OrderedDict()
        self._bounds: dict[tuple[Any, ...], list[int]] = {}
        self._lock = threading.Lock()

    def get(self, file: BinaryIO, cell: Cell) -> tuple[int, Images]:
        """Return the number of the first row of a cell's row group, and the images of its rows."""
        status = os.fstat(file.fileno())
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        with self._lock:  # who waits for it wants the same row group, nearly always
            bounds = self._bounds.get(key)
            if bounds is None:
                bounds = self._bounds[key] = _bounds(file)
            group = next((n for n, end in enumerate(bounds) if cell.row < end), None)
            if group is None:
                raise IndexError
            whole = (*key, group, cell.column)
            if whole not in self._kept:
                self._keep(whole, bounds[group - 1] if group else 0, _images(file, group, cell))
            self._kept.move_to_end(whole)
            first, images, _ = self._kept[whole]
            return first, images

    def _keep(self, key: tuple[Any, ...], first: int, images: Images) -> None:
        size = sum(len(image) for row in images for image in row)
        self._kept[key] = (first, images, size)
        self._size += size
        while self._size > self.limit and len(self._kept) > 1:
            self._size -= self._kept.popitem(last=False)[1][2]


_GROUPS = _Groups(_KEPT_BYTES)


def fits(path: Any, opened: Any, column: str) -> bool:
    """Tell whether the images of a column may be read one by one: no row group has many bytes.

    Neither by what the footer says, nor by what a dictionary may make of it.
    """
    try:
        for group in range(opened.num_row_groups):
            _column_costs(path, opened, group, column)
    except (OSError, ValueError):
        return False
    return True


def _column_costs(path: Any, opened: Any, group: int, column: str) -> list[ChunkCost]:
    """Return what a column takes in a row group.

    Raises:
        ValueError: it is more than GROUP_BYTES, or cannot be told before it is read.
    """
    metadata = opened.metadata.row_group(group)
    chunks = (metadata.column(n) for n in range(metadata.num_columns))
    size = sum(c.total_uncompressed_size for c in chunks if _is_of(c.path_in_schema, column))
    costs = [one for one in group_costs(path, opened, group) if _is_of(one.path, column)]
    rows = sum(one.row for one in costs) * metadata.num_rows
    if size > GROUP_BYTES or rows > 2 * GROUP_BYTES or any(one.scattered for one in costs):
        raise ValueError("its row group has more bytes than are read for one image")
    return costs


def _is_of(path: str, column: str) -> bool:
    return path == column or path.startswith(f"{column}.")


def _bounds(file: BinaryIO) -> list[int]:
    """Return for each row group the number of the first row behind it."""
    with _told(), reading_parquet(file) as opened:
        sizes = (opened.metadata.row_group(n).num_rows for n in range(opened.num_row_groups))
        return list(accumulate(sizes))


def _images(file: BinaryIO, group: int, cell: Cell) -> Images:
    found: Images = []
    with _told(), reading_parquet(file) as opened:
        most = rows_at_a_time(_column_costs(file, opened, group, cell.column), _ROWS)
        for batch in opened.iter_batches(most, row_groups=[group], columns=[cell.column]):
            found += [bytes_in(value) for value in batch.column(0).to_pylist()]
    return found


@contextmanager
def _told() -> Iterator[None]:
    """Let what goes wrong with a file be an OSError; Arrow's errors are ValueErrors."""
    try:
        yield
    except ImportError:
        raise OSError(
            errno.ENOPKG, 'Parquet files are read with pyarrow: pip install "ig4[parquet]"'
        ) from None
    except (ValueError, KeyError, MemoryError) as error:
        reason = str(error).partition("\n")[0] or "memory ran out"
        raise OSError(errno.EIO, f"the Parquet file cannot be read: {reason}") from None


def bytes_in(value: Any) -> list[bytes]:
    """Return the bytes in a value of a column, in their order: those of objects and of lists."""
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [one for item in value for one in bytes_in(item)]
    return []
