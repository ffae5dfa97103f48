"""Finds out what rows of a Parquet file take in memory, from its page headers, before it is read.

The file's size says nothing about that: a value that stands once in a dictionary may be repeated
in every row, and compression makes nothing of zeros. The footer's sizes are only claims; readers
obey the header in front of each page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

from ig4.core.files.opening import open_file

BATCH_BYTES = 1 << 28
"""What the rows that are read at a time may take, if the file allows it."""

RECORD_BYTES = 1 << 30
"""What one row may take, and one page."""

_HEADER = 1 << 16  # a page header with its statistics is far smaller
_DICTIONARY_PAGE = 2
_DICTIONARY_ENCODINGS = {2, 8}
_PREFIX_ENCODING = 7  # each value may repeat what the one before it begins with
_SHORT = 1 << 14  # dictionaries that are no longer are not looked into
_ITEM = 12  # bytes of a number in a list, with its place in it, at least
_MOST_REPEATED = 200  # times that lists of numbers are larger than their bytes in the file
_BYTE_ARRAYS = ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")


@dataclass(slots=True)
class ChunkCost:
    """What a column takes in one row group: bytes for each row, and besides."""

    path: str
    values: int
    nested: bool
    page: int = 0  # of the largest
    row: float = 0.0
    repeats: bool = field(default=False)  # whether values may be longer in memory than in the file

    @property
    def scattered(self) -> bool:
        """Whether only reading it tells how much a row holds."""
        return self.nested and self.repeats and self.values * self.row > BATCH_BYTES


@contextmanager
def reading_parquet(path: Any, **options: Any) -> Iterator[Any]:
    """Open a Parquet file as a pyarrow.parquet.ParquetFile; its name is left to `open_file`.

    Raises:
        OSError, pyarrow.ArrowException: it cannot be opened, or is not a whole Parquet file.
    """
    import pyarrow.parquet as pq

    with _opened(path) as file, pq.ParquetFile(file, **options) as opened:
        yield opened


@contextmanager
def _opened(path: Any) -> Iterator[BinaryIO]:
    """Open a file by its path; one that is open already is read as it is, and stays open."""
    if hasattr(path, "read"):
        path.seek(0)
        yield path
        return
    with open_file(path) as file:
        yield file


def group_costs(path: Any, opened: Any, group: int) -> list[ChunkCost]:
    """Return the costs of the columns of a row group of bytes or texts, or of lists.

    Raises:
        ValueError: a page, or what lists of numbers hold, is too large; says where.
        OSError: the file cannot be read.
    """
    metadata = opened.metadata.row_group(group)
    costs = []
    with _opened(path) as file:
        for index in range(metadata.num_columns):
            chunk = metadata.column(index)
            nested = opened.schema.column(index).max_repetition_level > 0
            if nested:
                _require_plausible(chunk)
            if chunk.physical_type in _BYTE_ARRAYS:
                costs.append(_cost(path, opened, group, chunk, file, nested=nested))
    return costs


def rows_at_a_time(costs: list[ChunkCost], most: int) -> int:
    """Return how many rows to read at a time, at most `most`, for BATCH_BYTES."""
    each = sum(cost.row for cost in costs)
    room = BATCH_BYTES - sum(cost.page for cost in costs)
    return max(1, min(most, int(room / each))) if each * most > room else most


def _require_plausible(chunk: Any) -> None:
    size = chunk.num_values * _ITEM
    if size > RECORD_BYTES and size > _MOST_REPEATED * chunk.total_compressed_size:
        raise ValueError(
            f"the lists of column {chunk.path_in_schema} hold {chunk.num_values:,} values in "
            f"{chunk.total_compressed_size:,} bytes"
        )


def _cost(
    path: Any, opened: Any, group: int, chunk: Any, file: BinaryIO, *, nested: bool
) -> ChunkCost:
    cost = ChunkCost(chunk.path_in_schema, chunk.num_values, nested)
    longest = 0
    for header in _page_headers(file, chunk):
        size = _number(header.get(2))
        if size > RECORD_BYTES:
            raise ValueError(f"a page of column {cost.path} holds {size:,} bytes")
        cost.page = max(cost.page, size)
        if header.get(1) == _DICTIONARY_PAGE:
            longest = _longest(path, opened, group, chunk, header)
            continue
        first, second = _struct_in(header, 5), _struct_in(header, 8)
        values = max(1, _number((first or second).get(1)))
        encoding = first.get(2) if first else second.get(4)
        if encoding in _DICTIONARY_ENCODINGS:
            cost.row, cost.repeats = max(cost.row, longest), True
        elif encoding == _PREFIX_ENCODING:
            cost.row, cost.repeats = max(cost.row, size), True
        else:
            cost.row = max(cost.row, size / values)
    return cost


def _longest(path: Any, opened: Any, group: int, chunk: Any, header: dict[int, Any]) -> int:
    """Return the length of the longest value of a column chunk's dictionary, or how long it may be.

    Arrow's reader hands out the whole dictionary with the first row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    size, count = _number(header.get(2)), _number(_struct_in(header, 7).get(1))
    if chunk.physical_type != "BYTE_ARRAY":
        return size // max(1, count)
    if size <= _SHORT:
        return size
    column = chunk.path_in_schema
    try:
        with reading_parquet(path, metadata=opened.metadata, read_dictionary=[column]) as file:
            array = next(file.iter_batches(1, row_groups=[group], columns=[column])).column(0)
    except (pa.ArrowException, OSError, StopIteration):
        return size  # reading it will say what is wrong
    while not pa.types.is_dictionary(array.type):
        if not pa.types.is_nested(array.type) or pa.types.is_map(array.type):
            return size
        parts = array.flatten()
        array = parts[0] if isinstance(parts, list) else parts
    if len(array.dictionary) != count:
        return size
    return pc.max(pc.binary_length(array.dictionary)).as_py() or 0


def _page_headers(file: BinaryIO, chunk: Any) -> Iterator[dict[int, Any]]:
    """Yield the headers of a column chunk's pages; what cannot be understood ends them."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, chunk.dictionary_page_offset)
    end, values = start + chunk.total_compressed_size, 0
    while start < end and values < max(1, chunk.num_values):
        file.seek(start)
        stream = BytesIO(file.read(_HEADER))
        try:
            header = _struct(stream)
        except (IndexError, ValueError, RecursionError):
            return
        yield header
        start += stream.tell() + max(0, _number(header.get(3)))
        values += _number((_struct_in(header, 5) or _struct_in(header, 8)).get(1))


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _struct_in(header: dict[int, Any], number: int) -> dict[int, Any]:
    """Return a struct of a header; where a broken file has something else, an empty one."""
    value = header.get(number)
    return value if isinstance(value, dict) else {}


def _struct(stream: BytesIO) -> dict[int, Any]:
    """Read a struct of Thrift's compact protocol: values by the numbers of their fields."""
    found: dict[int, Any] = {}
    number = 0
    while kind := _byte(stream):
        step, kind = kind >> 4, kind & 15
        number = number + step if step else _signed(stream)
        found[number] = _value(stream, kind)
    return found


def _value(stream: BytesIO, kind: int) -> Any:
    if kind in (1, 2):
        return kind == 1
    if kind == 3:
        return _byte(stream)
    if kind in (4, 5, 6):
        return _signed(stream)
    if kind == 7:
        return stream.read(8)
    if kind == 8:
        return stream.read(_varint(stream))
    if kind in (9, 10):
        head = _byte(stream)
        size = head >> 4 if head >> 4 != 15 else _varint(stream)
        return [_value(stream, head & 15) for _ in range(min(size, _HEADER))]
    if kind == 12:
        return _struct(stream)
    raise ValueError(kind)


def _byte(stream: BytesIO) -> int:
    return stream.read(1)[0]


def _varint(stream: BytesIO) -> int:
    value = shift = 0
    while True:
        byte = _byte(stream)
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128 or shift > 70:
            return value


def _signed(stream: BytesIO) -> int:
    value = _varint(stream)
    return (value >> 1) ^ -(value & 1)
