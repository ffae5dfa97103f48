"""Statements on processes at work: their beats, and what those that have ended had claimed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, extract, func, null, select, text

from ig4.storage.bulk import upsert
from ig4.storage.calls import CLAIMED
from ig4.storage.runs import now
from ig4.storage.schema import LlmCall, LlmWorker, ScoreClaim

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A process as it last recorded itself.

    `silence` is how many seconds ago that was by the server's clock; None in SQLite, which has no
    clock of its own.
    """

    id: str
    host: str
    pid: int
    started: str | None
    beats: int
    silence: float | None


IDLE_SECONDS = 60
"""For how long a process may do nothing in the middle of a transaction that others may wait for."""


def limit_idleness(connection: Connection) -> None:
    """Let the server end this transaction if the process stops in it: its locks hold up others.

    A process that wakes up finds its connection broken, and does the transaction again. SQLite
    cannot do so.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        )


def record_heartbeat(
    connection: Connection, worker: str, host: str, pid: int, started: str | None, beats: int
) -> None:
    """Record that a process is alive; it repeats this every few seconds, with other `beats`."""
    limit_idleness(connection)
    seen_at: Any = now() if connection.dialect.name == "sqlite" else func.now()
    values = {"id": worker, "host": host, "pid": pid, "started": started, "beats": beats}
    statement = upsert(connection, LlmWorker, ["id"], update=["beats", "seen_at"])
    connection.execute(statement.values(values | {"seen_at": seen_at}))


def list_all(connection: Connection) -> list[WorkerRow]:
    """Return every recorded process, by id."""
    silence: Any = null()
    if connection.dialect.name != "sqlite":
        silence = extract("epoch", func.now() - LlmWorker.seen_at)
    rows: Any = connection.execute(
        select(
            LlmWorker.id,
            LlmWorker.host,
            LlmWorker.pid,
            LlmWorker.started,
            LlmWorker.beats,
            silence,
        ).order_by(LlmWorker.id)
    )
    return [
        WorkerRow(name, host, pid, started, beats, None if age is None else float(age))
        for name, host, pid, started, beats, age in rows
    ]


def delete_gone(connection: Connection, gone: Sequence[WorkerRow]) -> dict[str, int]:
    """Delete processes that have ended, and release the calls and batches that they claimed.

    One that has recorded itself again since it was read stays, with its claims. Returns how many
    batches of scorers were released, by process.
    """
    released: dict[str, int] = {}
    for row in gone:
        if connection.execute(delete(LlmWorker).where(_as_read(row))).rowcount:
            claimed = and_(LlmCall.state == CLAIMED, LlmCall.worker == row.id)
            connection.execute(delete(LlmCall).where(claimed))
            released[row.id] = _release_batches(connection, row)
    return {worker: count for worker, count in released.items() if count}


def release_batches(connection: Connection, silent: Sequence[WorkerRow]) -> dict[str, int]:
    """Release the batches of scorers that silent processes claimed, which may yet wake up.

    What they have asked services for stays theirs: it may have been paid for. One that has
    recorded itself again since it was read keeps all. Returns how many, by process.
    """
    released = {
        row.id: _release_batches(connection, row)
        for row in silent
        # Locks the row, so that a beat at this moment comes before it, or after.
        if connection.scalar(select(LlmWorker.id).where(_as_read(row)).with_for_update())
    }
    return {worker: count for worker, count in released.items() if count}


def _as_read(row: WorkerRow) -> Any:
    return and_(LlmWorker.id == row.id, LlmWorker.beats == row.beats)


def _release_batches(connection: Connection, row: WorkerRow) -> int:
    return connection.execute(delete(ScoreClaim).where(ScoreClaim.worker == row.id)).rowcount
