"""Checksums of whole rows: stored with a row, and compared with it by `ig4 db check`.

A checksum covers every column of its row except `run_id`, what the database changes by itself (see
`_LEFT_OUT`), and what a request to a language model does not have yet. Rows of an older ig4 have
none until they are written again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import index
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Float,
    Integer,
    Text,
    bindparam,
    cast,
    func,
    select,
    type_coerce,
    update,
)

from ig4.storage.schema import Base, LlmCall, Selection

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_LEFT_OUT: Mapping[type[Base], frozenset[str]] = {
    Selection: frozenset({"clustering_id"}),  # NULL as soon as the clustering is computed anew
    LlmCall: frozenset({"id", "worker"}),  # the number is given by the database
}
_ALWAYS = frozenset({"crc", "run_id"})

_HASHED = "request_hash"
_OUTCOMES = ("done", "unreadable", "failed")
_WAITING = ("claimed", "batch", "lost")
_OF_OUTCOMES = frozenset(
    {
        "state", "batch_id", "reply", "finish", "error", "input_tokens", "cached_tokens",
        "output_tokens", "cost", "seconds", "attempts", "finished_at",
    }
)  # fmt: skip

_encode = json.JSONEncoder(separators=(",", ":")).encode


@lru_cache
def covered(model: type[Base]) -> tuple[str, ...]:
    """Return the names of the columns that a row's checksum covers."""
    left_out = _ALWAYS | _LEFT_OUT.get(model, frozenset())
    return tuple(column.name for column in model.__table__.columns if column.name not in left_out)


def checksum(model: type[Base], row: Mapping[str, Any]) -> int:
    """Return the CRC-32 of a row that holds each of its `covered` columns.

    Raises:
        ValueError, TypeError: a value has not the type of its column.
    """
    if model is LlmCall:
        row = _request_or_outcome(row)
    values: list[Any] = [model.__tablename__]
    for name, plain in _columns(model):
        value = row[name]
        values.append(None if value is None else plain(value))
    return crc32(_encode(values).encode("ascii"))


def _request_or_outcome(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out what a request without outcome gets and loses: its state, batch, and what it costs.

    A request whose place another one took over has its number behind its hash.
    """
    if row["state"] not in (*_OUTCOMES, *_WAITING):
        raise ValueError(row["state"])
    own, _, number = str(row[_HASHED]).partition("/")
    if number and number != str(row["id"]):
        raise ValueError(number)
    known = {_HASHED: own}
    if row["state"] in _OUTCOMES:
        return {**row, **known}
    return {**row, **known, **dict.fromkeys(_OF_OUTCOMES)}


@lru_cache
def _columns(model: type[Base]) -> Sequence[tuple[str, Callable[[Any], Any]]]:
    """Return each covered column, and what makes its value the same in all databases."""
    columns = model.__table__.c
    return [(name, _plain(columns[name].type)) for name in covered(model)]


def _plain(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, Float):
        return _number
    return _whole if isinstance(kind, (Integer, Boolean)) else _text


def _number(value: Any) -> float | None:
    if isinstance(value, (str, bytes)):
        raise TypeError(value)
    number = float(value) + 0.0  # SQLite stores -0.0 as 0.0
    return None if math.isnan(number) else number  # and NaN as NULL


def _whole(value: Any) -> int:
    return index(int(value) if isinstance(value, float) and value.is_integer() else value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def time_text(time: datetime) -> str:
    """Return a UTC time as checksums take it: the text that SQLite stores."""
    return time.replace(tzinfo=None).isoformat(" ", "microseconds")


def expressions(connection: Connection, model: type[Base]) -> list[Any]:
    """Return what to select for `checksum`: keys and covered columns as they are stored."""
    sqlite = connection.dialect.name == "sqlite"
    names = dict.fromkeys((*_keys(model), *covered(model)))
    return [_raw(model.__table__.c[name], sqlite).label(name) for name in names]


def _raw(column: Any, sqlite: bool) -> Any:
    if isinstance(column.type, JSON):
        return type_coerce(column, Text) if sqlite else cast(column, Text)
    if isinstance(column.type, DateTime):
        if sqlite:
            return type_coerce(column, Text)
        return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD HH24:MI:SS.US")
    if isinstance(column.type, Boolean):
        return type_coerce(column, Integer) if sqlite else cast(column, Integer)
    return column


def seal(connection: Connection, model: type[Base], *where: Any) -> None:
    """Store the checksum of each row that meets the conditions, as the row is now."""
    keys = _keys(model)
    statement = select(*expressions(connection, model)).where(*where)
    rows = [dict(row) for row in connection.execute(statement).mappings()]
    _store(connection, model, [({k: row[k] for k in keys}, checksum(model, row)) for row in rows])


@contextmanager
def resealed(connection: Connection, model: type[Base], *where: Any) -> Iterator[None]:
    """Let rows be changed, and store their new checksums; one that was damaged before stays so."""
    table = model.__table__
    keys = _keys(model)
    rows = _stored(connection, model, *where)
    sound = [[row[k] for k in keys] for row in rows if is_sound(model, row)]
    yield
    for key in sound:
        seal(connection, model, *(table.c[k] == part for k, part in zip(keys, key, strict=True)))


def are_sound(connection: Connection, model: type[Base], *where: Any) -> bool:
    """Tell whether all rows that meet the conditions are what was stored."""
    return all(is_sound(model, row) for row in _stored(connection, model, *where))


def _stored(connection: Connection, model: type[Base], *where: Any) -> Sequence[Mapping[str, Any]]:
    crc = model.__table__.c.crc
    statement = select(*expressions(connection, model), crc).where(*where)
    return [dict(row) for row in connection.execute(statement).mappings()]


def is_sound(model: type[Base], row: Mapping[str, Any]) -> bool:
    """Tell whether a row with its `crc` is what was stored, as far as that can be known."""
    try:
        return row["crc"] is None or checksum(model, row) == row["crc"]
    except (TypeError, ValueError, ArithmeticError):  # the bytes became another type
        return False


def _keys(model: type[Base]) -> Sequence[str]:
    return [column.name for column in model.__table__.primary_key]


def _store(
    connection: Connection, model: type[Base], sums: Sequence[tuple[Mapping[str, Any], int]]
) -> None:
    if not sums:
        return
    table: Any = model.__table__
    statement = (
        update(table)
        .where(*(table.c[name] == bindparam(f"key_{name}") for name in _keys(model)))
        .values(crc=bindparam("new_crc"))
    )
    rows = [
        {**{f"key_{name}": value for name, value in key.items()}, "new_crc": crc}
        for key, crc in sums
    ]
    connection.execute(statement, rows)
