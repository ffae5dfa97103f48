"""Times by which rows are ordered: machines' clocks disagree, and are set back."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ig4.storage.runs import now

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_TICK = timedelta(microseconds=1)  # the finest that both databases store


def after_all(connection: Connection, column: Any) -> datetime:
    """Return the time in UTC, but one later than all times in a column.

    What is stored with it is the newest, whatever the clocks were that wrote the others.
    """
    newest: datetime | None = connection.scalar(select(func.max(column)))
    if newest is None:
        return now()
    # SQLite stores no time zone.
    return max(now(), newest.replace(tzinfo=newest.tzinfo or UTC) + _TICK)
