"""The columns of extras in Arrow tables: their types, and what Hugging Face's metadata says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import pyarrow as pa

from ig4.core.extras import TEXT, WHOLE, flat
from ig4.core.records import JSON, Record

_FEATURES = b"huggingface"


def extra_fields(records: Iterable[Record]) -> tuple[list[pa.Field], Iterator[Record]]:
    """Return the columns that the extras of records need, and the records; all have the same."""
    stream = iter(records)
    first = list(islice(stream, 1))
    names = flat(first[0].extras) if first and first[0].extras else {}
    return [pa.field(name, _kind(name)) for name in names], chain(first, stream)


def with_fields(schema: pa.Schema, fields: Iterable[pa.Field]) -> pa.Schema:
    """Return a schema with further columns at its end, in the place of those of their names."""
    more = list(fields)
    if not more:
        return schema
    names = {field.name for field in more}
    kept = [field for field in schema if field.name not in names]
    metadata = dict(schema.metadata or {})
    if _FEATURES in metadata:
        told = json.loads(metadata[_FEATURES])
        told.get("info", {}).update(with_features(told.get("info", {}), more))
        metadata[_FEATURES] = json.dumps(told).encode()
    return pa.schema([*kept, *more], metadata=metadata or None)


def with_features(info: Mapping[str, Any], fields: Iterable[pa.Field]) -> dict[str, JSON]:
    """Return what `datasets` calls the info of a data set, with its features of these columns."""
    features = info.get("features")
    if not isinstance(features, dict):
        return dict(info)
    own = {field.name: {"dtype": _dtype(field.type), "_type": "Value"} for field in fields}
    return {**info, "features": {**features, **own}}


def _kind(name: str) -> pa.DataType:
    return pa.int64() if name in WHOLE else pa.string() if name in TEXT else pa.float64()


def _dtype(kind: pa.DataType) -> str:
    return "float64" if kind == pa.float64() else str(kind)
