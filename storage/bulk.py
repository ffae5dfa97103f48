"""Statements on many rows at a time, at the speed of the database's own driver."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, BigInteger, Text, any_, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Dialect
    from sqlalchemy.orm import InstrumentedAttribute

    from ig4.storage.schema import Base


def upsert(
    connection: Connection, table: type[Base], key: Sequence[str], update: Sequence[str] = ()
) -> Any:
    """Return an INSERT that, where `key` exists, sets the columns `update`, or does nothing."""
    return _upsert(connection.dialect.name, table, key, update)


def _upsert(dialect: str, table: type[Base], key: Sequence[str], update: Sequence[str]) -> Any:
    insert: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = insert(table)
    if not update:
        return statement.on_conflict_do_nothing(index_elements=list(key))
    return statement.on_conflict_do_update(
        index_elements=list(key), set_={name: statement.excluded[name] for name in update}
    )


def put_rows(
    connection: Connection,
    table: type[Base],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    key: Sequence[str] = (),
    update: Sequence[str] = (),
) -> int:
    """Insert rows given as sequences in the order of `columns`; where `key` exists, as `upsert`.

    Returns how many rows were added or changed, -1 if the driver does not say. The statement is
    compiled once and the rows go to the driver as they are: no value may need a conversion of
    SQLAlchemy's (JSON columns, dates).
    """
    values = rows if isinstance(rows, list) else list(rows)
    if not values:
        return 0
    sql, order = _compiled(connection.dialect, table, tuple(columns), tuple(key), tuple(update))
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
) -> tuple[str, tuple[int, ...] | None]:
    """Return the INSERT's text for a driver, and which of `columns` each of its marks is.

    The order is None where parameters go by name.
    """
    if key:
        statement = _upsert(dialect.name, table, key, update)
    else:
        statement = (sqlite.insert if dialect.name == "sqlite" else postgresql.insert)(table)
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    if not dialect.positional:
        return str(compiled), None
    return str(compiled), tuple(columns.index(name) for name in compiled.positiontup)


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
