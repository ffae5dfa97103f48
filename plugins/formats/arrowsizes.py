"""Finds out what the compressed batches of an Arrow stream take in memory, before they are read.

The file's size says nothing about that. Each compressed buffer begins with the number of bytes that
it unpacks to, which readers obey; where the buffers are is said in the message in front of them
(Arrow's specification, "Encapsulated message format", in Flatbuffers).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

_MOST_BUFFERS = 1 << 20  # there are about three for each column
_LONG = struct.Struct("<q")
_CONTINUES = 0xFFFFFFFF
_VERSION_HEADER, _HEADER, _BODY_LENGTH = 1, 2, 3  # fields of a message
_BUFFERS, _COMPRESSION = 2, 3  # of a record batch
_DICTIONARY, _BATCH = 2, 3  # kinds of messages
_DATA = 1  # of a dictionary batch: its record batch


def largest_batch(stream: Any) -> int:
    """Return the bytes that the largest compressed batch of a stream unpacks to; 0 if none is.

    Raises:
        ValueError: the stream is cut off or broken.
    """
    try:
        return max(_batches(stream), default=0)
    except (struct.error, IndexError):
        raise ValueError("a message claims to be where there is none") from None


def _batches(stream: Any) -> Iterator[int]:
    at = 0
    while at + 4 <= len(stream):
        (size,) = struct.unpack_from("<I", stream, at)
        at += 4
        if size == _CONTINUES:
            (size,) = struct.unpack_from("<I", stream, at)
            at += 4
        if size == 0:
            return
        message, body = _table(stream, at), at + size
        length = _number(stream, message, _BODY_LENGTH)
        if length < 0 or body + length > len(stream):
            raise ValueError("a message is longer than the file")
        yield _unpacked(stream, message, body)
        at = body + length


def _unpacked(stream: Any, message: int, body: int) -> int:
    kind_at, batch_at = _field(stream, message, _VERSION_HEADER), _field(stream, message, _HEADER)
    if not kind_at or not batch_at or stream[kind_at] not in (_DICTIONARY, _BATCH):
        return 0
    batch = _table(stream, batch_at)
    if stream[kind_at] == _DICTIONARY:
        batch = _table(stream, _field(stream, batch, _DATA))
    places = _field(stream, batch, _BUFFERS)
    if not _field(stream, batch, _COMPRESSION) or not places:
        return 0
    vector = places + struct.unpack_from("<I", stream, places)[0]
    (count,) = struct.unpack_from("<I", stream, vector)
    if count > _MOST_BUFFERS:
        raise ValueError(f"a batch claims to have {count:,} buffers")
    total = 0
    for offset, length in struct.iter_unpack("<qq", stream[vector + 4 : vector + 4 + 16 * count]):
        if length >= _LONG.size and offset >= 0:
            total += max(0, _LONG.unpack_from(stream, body + offset)[0])  # -1: it is as it is
    return total


def _table(stream: Any, at: int) -> int:
    """Return where the table is that an offset refers to."""
    return at + int(struct.unpack_from("<I", stream, at)[0])


def _field(stream: Any, table: int, number: int) -> int:
    """Return where a field of a table is, 0 if the table does not have it."""
    fields = table - struct.unpack_from("<i", stream, table)[0]
    if fields < 0:
        raise ValueError("a message is broken")
    size, place = struct.unpack_from("<H", stream, fields)[0], 4 + 2 * number
    offset = struct.unpack_from("<H", stream, fields + place)[0] if place < size else 0
    return table + offset if offset else 0


def _number(stream: Any, table: int, number: int) -> int:
    at = _field(stream, table, number)
    return int(_LONG.unpack_from(stream, at)[0]) if at else 0
