"""Statements on many rows at a time, at the speed of the database's own driver."""

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
    """Return an INSERT that, where `key` exists, sets the columns `update`, or does nothing.

    With `where`, a row that does not meet it stays as it is.
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
    """Insert rows given as sequences in the order of `columns`; where `key` exists, as `upsert`.

    Returns how many rows were added or changed, -1 if the driver does not say. The statement is
    compiled once and the rows go to the driver as they are: no value may need a conversion of
    SQLAlchemy's (JSON columns, dates).
    """
    values = rows if isinstance(rows, list) else list(rows)
    if not values:
        return 0
    sql, order = _compiled(
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
    """Set `columns` of the rows whose `key` is the first value of each of `rows`, as `put_rows`."""
    if not rows:
        return 0
    sql, order = _compiled_update(connection.dialect, table, key, tuple(columns))
    return _execute(connection, sql, order, [_KNOWN, *columns], rows)


def stamp(connection: Connection, time: datetime) -> Any:
    """Return a time in UTC as the driver takes it, for `put_rows` and `update_rows`."""
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
    given: list[Any]
    if order is None:
        given = [dict(zip(columns, row, strict=True)) for row in values]
    else:
        pick = itemgetter(*order) if len(order) > 1 else tuple
        given = [pick(row) for row in values]
    return connection.exec_driver_sql(sql, given).rowcount


@lru_cache(maxsize=64)
def _compiled(
    dialect: Dialect,
    table: type[Base],
    columns: tuple[str, ...],
    key: tuple[str, ...],
    update: tuple[str, ...],
    where: TextClause | None,
) -> tuple[str, tuple[int, ...] | None]:
    """Return the INSERT's text for a driver, and which of `columns` each of its marks is.

    The order is None where parameters go by name.
    """
    if key:
        statement = _upsert(dialect.name, table, key, update, where)
    else:
        statement = (sqlite.insert if dialect.name == "sqlite" else postgresql.insert)(table)
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    if not dialect.positional:
        return str(compiled), None
    return str(compiled), tuple(columns.index(name) for name in compiled.positiontup)


_KNOWN = "known_key"


@lru_cache(maxsize=64)
def _compiled_update(
    dialect: Dialect, table: type[Base], key: str, columns: tuple[str, ...]
) -> tuple[str, tuple[int, ...] | None]:
    """Return the UPDATE's text for a driver, and which of the values each of its marks is."""
    own = table.__table__
    statement = (
        sql_update(table)
        .where(own.c[key] == bindparam(_KNOWN))
        .values({name: bindparam(f"new_{name}", type_=own.c[name].type) for name in columns})
    )
    compiled = statement.compile(dialect=dialect)
    names = [_KNOWN, *(f"new_{name}" for name in columns)]
    if not dialect.positional:
        text = str(compiled)
        for name in columns:
            text = text.replace(f"(new_{name})", f"({name})")
        return text, None
    return str(compiled), tuple(names.index(name) for name in compiled.positiontup or ())


def among(
    connection: Connection, column: InstrumentedAttribute[Any], values: Sequence[Any]
) -> ColumnElement[bool]:
    """Return the condition that `column` is one of `values` (int or str), however many.

    All values travel in one parameter: an IN with a parameter for each is compiled anew for
    every length, which costs more than the query.
    """
    if connection.dialect.name == "sqlite":
        each = func.json_each(json.dumps(list(values), ensure_ascii=True)).table_valued("value")
        return column.in_(select(each.c.value))
    kind = Text() if values and isinstance(values[0], str) else BigInteger()
    return column == any_(bindparam(None, list(values), type_=ARRAY(kind)))
