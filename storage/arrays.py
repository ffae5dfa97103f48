"""Read columns of numbers as numpy arrays, a million rows in a fraction of a second."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection, Executable, Select

MISSING = float("inf")
"""Replaces NULL in a float column: stored scores are finite."""


def integers(connection: Connection, statement: Executable) -> NDArray[np.int64]:
    """Return the rows of a one-column statement as (n,) int64."""
    return np.fromiter(chain.from_iterable(_rows(connection, statement)), dtype=np.int64)


def small_integers(connection: Connection, statement: Select[Any]) -> NDArray[np.int64]:
    """Return the same of numbers of few digits, as labels are, several times as fast in SQLite.

    They come as one text, in the order of the statement, and not as an object for each.
    """
    if connection.dialect.name != "sqlite":
        return integers(connection, statement)
    rows = statement.subquery()
    text = connection.scalar(select(func.group_concat(rows.c[0])))
    return np.fromstring(text, dtype=np.int64, sep=",") if text else np.empty(0, dtype=np.int64)


def joined(connection: Connection, statement: Select[Any]) -> str:
    """Return the texts of a one-column statement in one, in its order."""
    if connection.dialect.name != "sqlite":
        return "".join(chain.from_iterable(_rows(connection, statement)))
    rows = statement.subquery()
    return connection.scalar(select(func.group_concat(rows.c[0], ""))) or ""


def records(connection: Connection, statement: Executable, dtype: np.dtype[np.void]) -> Any:
    """Return the rows of a statement of one column of bytes as (n,) of a dtype, which has as many.

    Memory is that of the array: no object is kept for a row.
    """
    data = bytearray()
    for (value,) in _rows(connection, statement):
        data += value
    return np.frombuffer(data, dtype=dtype)


def floats(connection: Connection, statement: Executable) -> NDArray[np.float64]:
    """Return the rows of a one-column statement as (n,) float64."""
    return np.fromiter(chain.from_iterable(_rows(connection, statement)), dtype=np.float64)


def _rows(connection: Connection, statement: Executable) -> Any:
    # The driver's own cursor: building SQLAlchemy's Row objects would take most of the time.
    compiled = statement.compile(  # type: ignore[attr-defined]
        dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
    )
    cursor = connection.connection.cursor()
    parameters = compiled.construct_params()
    if compiled.positional:
        cursor.execute(str(compiled), [parameters[name] for name in compiled.positiontup])
    else:
        cursor.execute(str(compiled), parameters)
    return cursor
