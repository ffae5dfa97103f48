"""Adds many rows to a table, some of which may be there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from ig4.storage.transfer.rows import Row, copy_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection


def add_rows(
    connection: Connection,
    table: str,
    names: Sequence[str],
    rows: Sequence[Row],
    *,
    key: Sequence[str] = (),
    replace: str = "",
) -> int:
    """Add rows in the form of `read_rows`; returns how many were added or replaced.

    A row whose `key` is there stays as it is, unless the condition `replace` holds of it (on the
    table's own columns, with its name before them). The caller's transaction is used.
    """
    if not rows:
        return 0
    columns = ", ".join(f'"{name}"' for name in names)
    conflict = _on_conflict(names, key, replace)
    raw: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(names))
        statement = f'INSERT INTO "{table}" ({columns}) VALUES ({marks}) {conflict}'
        return int(raw.executemany(statement, rows).rowcount)
    incoming = f"incoming_{table}"
    connection.execute(
        text(
            f'CREATE TEMPORARY TABLE IF NOT EXISTS "{incoming}" ON COMMIT DROP AS '
            f'SELECT {columns} FROM "{table}" WITH NO DATA'
        )
    )
    copy_rows(connection, incoming, names, rows)
    statement = f'INSERT INTO "{table}" ({columns}) SELECT {columns} FROM "{incoming}" {conflict}'
    added = connection.execute(text(statement)).rowcount
    connection.execute(text(f'TRUNCATE "{incoming}"'))
    return added


def _on_conflict(names: Sequence[str], key: Sequence[str], replace: str) -> str:
    if not replace:
        return "ON CONFLICT DO NOTHING"
    keys = ", ".join(f'"{name}"' for name in key)
    values = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in key)
    return f"ON CONFLICT ({keys}) DO UPDATE SET {values} WHERE {replace}"


HIGHEST_ID = (1 << 31) - 1
"""The highest id that a table on PostgreSQL can have."""


def reserve_ids(connection: Connection, table: str, first: int, last: int) -> bool:
    """Tell whether rows can be added under ids from `first` to `last`, beyond all that there were.

    On PostgreSQL the table is locked against others that add rows, and counts on from `last`.
    """
    if connection.dialect.name == "sqlite":
        highest = connection.execute(text(f'SELECT max(id) FROM "{table}"')).scalar()
        return first > (highest or 0)
    if last > HIGHEST_ID:
        return False
    connection.execute(text(f'LOCK TABLE "{table}" IN SHARE ROW EXCLUSIVE MODE'))
    sequence = connection.scalar(text(f"SELECT pg_get_serial_sequence('{table}', 'id')"))
    used = connection.scalar(
        text(f"SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM {sequence}")
    )
    if first <= (used or 0):
        return False
    connection.execute(text(f"SELECT setval('{sequence}', {int(last)})"))
    return True
