"""Statements on many rows at a time, executed by the database driver directly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, func, select
from sqlalchemy import update as sql_update
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Dialect, TextClause
    from sqlalchemy.orm import InstrumentedAttribute

    from ig4.storage.schema import Base


def upsert(
    connection: Connection,
    table: type[Base],
    key: Sequence[str],
    update: Sequence[str] = (),
    where: ColumnElement[bool] | TextClause | None = None,
) -> Any:
    """Return an INSERT that, if `key` exists, updates the columns `update`, or does nothing.

    With `where`, an existing row that does not match it stays as it is.
    """
    return _upsert(connection.dialect.name, table, key, update, where)


def _upsert(
    dialect: str,
    table: type[Base],
    key: Sequence[str],
    update: Sequence[str],
    where: ColumnElement[bool] | TextClause | None = None,
) -> Any:
    insert: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = insert(table)
    if not update:
        return statement.on_conflict_do_nothing(index_elements=list(key))
    return statement.on_conflict_do_update(
        index_elements=list(key),
        set_={name: statement.excluded[name] for name in update},
        where=where,
    )


def put_rows(
    connection: Connection,
    table: type[Base],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    key: Sequence[str] = (),
    update: Sequence[str] = (),
    where: TextClause | None = None,
) -> int:
    """Insert rows given as sequences in the order of `columns`; with `key`, as `upsert` does.

    Returns how many rows were added or changed, -1 if the driver does not say. The statement is
    compiled once and the rows go to the driver as they are: no value may need a conversion by
    SQLAlchemy (JSON columns, dates).
    """
    values = rows if isinstance(rows, list) else list(rows)
    if not values:
        return 0
    sql, order = _compile_insert(
        connection.dialect, table, tuple(columns), tuple(key), tuple(update), where
    )
    return _execute(connection, sql, order, columns, values)


def update_rows(
    connection: Connection,
    table: type[Base],
    key: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> int:
    """Update `columns` of the rows whose `key` is the first value of each of `rows`.

    Compiled once and executed as in `put_rows`; returns how many rows were changed.
    """
    if not rows:
        return 0
    sql, order = _compile_update(connection.dialect, table, key, tuple(columns))
    return _execute(connection, sql, order, [_KEY, *columns], rows)


def driver_time(connection: Connection, time: datetime) -> Any:
    """Return a UTC time in the form that the driver takes, for `put_rows` and `update_rows`."""
    if connection.dialect.name != "sqlite":
        return time
    return time.replace(tzinfo=None).isoformat(" ", "microseconds")  # as SQLAlchemy writes it


def _execute(
    connection: Connection,
    sql: str,
    order: tuple[int, ...] | None,
    columns: Sequence[str],
    values: Sequence[Sequence[Any]],
) -> int:
    parameters: list[Any]
    if order is None:
        parameters = [dict(zip(columns, row, strict=True)) for row in values]
    else:
        pick = itemgetter(*order) if len(order) > 1 else tuple
        parameters = [pick(row) for row in values]
    return connection.exec_driver_sql(sql, parameters).rowcount


@lru_cache(maxsize=64)
def _compile_insert(
    dialect: Dialect,
    table: type[Base],
    columns: tuple[str, ...],
    key: tuple[str, ...],
    update: tuple[str, ...],
    where: TextClause | None,
) -> tuple[str, tuple[int, ...] | None]:
    """Return the SQL of the INSERT, and the index in `columns` of each of its placeholders.

    The indices are None if the driver takes parameters by name.
    """
    if key:
        statement = _upsert(dialect.name, table, key, update, where)
    else:
        statement = (sqlite.insert if dialect.name == "sqlite" else postgresql.insert)(table)
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    if not dialect.positional:
        return str(compiled), None
    return str(compiled), tuple(columns.index(name) for name in compiled.positiontup)


_KEY = "known_key"


@lru_cache(maxsize=64)
def _compile_update(
    dialect: Dialect, table: type[Base], key: str, columns: tuple[str, ...]
) -> tuple[str, tuple[int, ...] | None]:
    """Return the SQL of the UPDATE, and the index in a row of each of its placeholders.

    The indices are None if the driver takes parameters by name.
    """
    own = table.__table__
    statement = (
        sql_update(table)
        .where(own.c[key] == bindparam(_KEY))
        .values({name: bindparam(f"new_{name}", type_=own.c[name].type) for name in columns})
    )
    compiled = statement.compile(dialect=dialect)
    names = [_KEY, *(f"new_{name}" for name in columns)]
    if not dialect.positional:
        text = str(compiled)
        for name in columns:
            text = text.replace(f"(new_{name})", f"({name})")
        return text, None
    return str(compiled), tuple(names.index(name) for name in compiled.positiontup or ())


def in_values(
    connection: Connection, column: InstrumentedAttribute[Any], values: Sequence[Any]
) -> ColumnElement[bool]:
    """Return the condition `column IN values` (int or str), for any number of values.

    All values go in one parameter: an IN with a parameter for each value is compiled again for
    every length, which takes longer than the query.
    """
    if connection.dialect.name == "sqlite":
        each = func.json_each(json.dumps(list(values), ensure_ascii=True)).table_valued("value")
        return column.in_(select(each.c.value))
    kind = Text() if values and isinstance(values[0], str) else BigInteger()
    return column == any_(bindparam(None, list(values), type_=ARRAY(kind)))
