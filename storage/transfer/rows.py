"""The rows of a table as they are stored, in one form for SQLite and PostgreSQL.

A row has the values that SQLite's driver gives: numbers, texts (also for JSON and times), bytes;
0 and 1 for no and yes. JSON stays the text that it is, so that checksums of rows stay right.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from marshal import dumps
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import JSON, Boolean, DateTime, Float, Table

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row: TypeAlias = tuple[Any, ...]

CHUNK = 20_000
"""So many rows are in memory at a time."""

_WHOLE = 1 << 64


def read_rows(
    connection: Connection, table: Table, *, where: str = "", chunk: int = CHUNK
) -> Iterator[list[Row]]:
    """Yield the rows of a table, columns in their order, a chunk at a time.

    Those with an id come in its order. `where` is a condition on the table's columns.
    """
    sqlite = connection.dialect.name == "sqlite"
    columns = ", ".join(_expression(column, sqlite=sqlite) for column in table.columns)
    statement = f'SELECT {columns} FROM "{table.name}"'
    if where:
        statement += f" WHERE {where}"
    if "id" in table.columns:
        statement += ' ORDER BY "id"'
    raw: Any = connection.connection.driver_connection
    cursor = raw.cursor() if sqlite else raw.cursor(name=f"rows_{uuid.uuid4().hex[:12]}")
    if not sqlite:
        cursor.itersize = chunk
    plain = _plain_row(table)
    try:
        cursor.execute(statement)
        rows = iter(cursor)
        while part := list(islice(rows, chunk)):
            yield part if plain is None else list(map(plain, part))
    finally:
        cursor.close()


def _expression(column: Any, *, sqlite: bool) -> str:
    name = f'"{column.name}"'
    if sqlite:
        return name
    if isinstance(column.type, JSON):
        return f"{name}::text"
    if isinstance(column.type, DateTime):
        return f"to_char(timezone('UTC', {name}), 'YYYY-MM-DD HH24:MI:SS.US')"
    return f"{name}::int" if isinstance(column.type, Boolean) else name


def _plain_row(table: Table) -> Callable[[Row], Row] | None:
    """Return what gives the values of a row their one form; None where they have it already."""
    changes = [
        (place, change)
        for place, column in enumerate(table.columns)
        if (change := _plain_value(column.type)) is not None
    ]
    if not changes:
        return None

    def plain(row: Row) -> Row:
        values = list(row)
        for place, change in changes:
            if values[place] is not None:
                values[place] = change(values[place])
        return tuple(values)

    return plain


def _plain_value(kind: Any) -> Callable[[Any], Any] | None:
    if isinstance(kind, Float):
        return _number
    return _json_text if isinstance(kind, JSON) else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value + 0.0  # SQLite stores -0.0 as 0.0, NaN as NULL


def _json_text(value: Any) -> str:
    # SQLite makes a number of a JSON text that is one.
    return value if isinstance(value, str) else json.dumps(value)


def write_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Add rows that no row of the table is in the way of."""
    names = [column.name for column in table.columns]
    if connection.dialect.name == "sqlite":
        insert_rows(connection, table.name, names, rows)
    else:
        copy_rows(connection, table.name, names, rows)


def insert_rows(
    connection: Connection, table: str, names: Sequence[str], rows: Sequence[Row]
) -> None:
    """Add rows to a table of SQLite."""
    marks = ", ".join("?" * len(names))
    columns = ", ".join(f'"{name}"' for name in names)
    raw: Any = connection.connection.driver_connection
    raw.executemany(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', rows)


def copy_rows(
    connection: Connection, table: str, names: Sequence[str], rows: Iterable[Row]
) -> None:
    """Add rows to a table of PostgreSQL, several times as fast as by INSERT."""
    columns = ", ".join(f'"{name}"' for name in names)
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'UTC'")  # in which times are given
        with cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)


class TableDigest:
    """A digest of the rows of a table, whatever their order, and their number."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Count rows, and add the digest of each."""
        total = 0
        for row in rows:
            total += int.from_bytes(blake2b(dumps(row, 0), digest_size=8).digest())
        self._sum = (self._sum + total) % _WHOLE
        self.rows += len(rows)

    @property
    def value(self) -> str:
        """The digest: 16 hexadecimal digits."""
        return f"{self._sum:016x}"
