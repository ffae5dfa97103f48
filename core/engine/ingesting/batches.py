"""Cuts a stream of records into batches that one transaction can take."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ig4.core.records import Record

BATCH = 16_384
"""Records to a transaction: each rewrites much of the index on content hashes, so few of them."""
BATCH_BYTES = 128 << 20
"""Bytes of records to a transaction: a few records may be as large as a million others."""


class ReadRecord(NamedTuple):
    """A record, and the JSON text of its `raw`."""

    record: Record
    raw: str


def batches(records: Iterable[Record]) -> Iterator[list[ReadRecord]]:
    """Yield records in batches, smaller ones where the records are large."""
    batch: list[ReadRecord] = []
    size = 0
    for record in records:
        read = ReadRecord(record, json.dumps(record.raw))
        batch.append(read)
        size += _size(read)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(read: ReadRecord) -> int:
    """Return about how many bytes a record takes: its texts stand in `raw` as a rule."""
    size = len(read.raw)
    for image in read.record.images:
        size += len(image) if isinstance(image, (str, bytes)) else 0  # parts stay where they lie
    if read.record.raw is None:
        size += sum(len(turn.text) for turn in read.record.turns)
    return size
