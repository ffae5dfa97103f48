"""Statements on batches: requests that a service was handed all at once, and answers later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from ig4.storage import calls
from ig4.storage.bulk import among
from ig4.storage.schema import LlmBatch, LlmCall

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREPARING, SUBMITTED, ENDED, CANCELLED, FAILED = (
    "preparing", "submitted", "ended", "cancelled", "failed"
)  # fmt: skip
"""The states of a batch: written down, handed over, and the three ways it ends."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as the ledger has it; `collected` of its requests have a reply or an error."""

    id: int
    key: str
    provider: str
    model: str
    remote_id: str | None
    state: str
    requests: int
    error: str | None
    component_id: int | None
    worker: str | None
    created_at: datetime
    ended_at: datetime | None


_COLUMNS = [getattr(LlmBatch, name) for name in BatchRow.__slots__]


def prepare(
    connection: Connection,
    worker: str,
    key: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    renew: bool = False,
) -> tuple[int, set[str]]:
    """Write a batch down before the service gets it; return its id and the hashes it may hold.

    `rows` are calls as `calls.claim` takes them, of one model and component. Those that somebody
    else is asking are left out; if none is left, there is no batch and the id is 0.
    """
    lost = calls.claim(connection, worker, rows, renew=renew)
    got = {row["request_hash"] for row in rows} - set(lost)
    if not got:
        return 0, set()
    first = rows[0]
    values = {
        "key": key,
        "provider": first["provider"],
        "model": first["model"],
        "component_id": first["component_id"],
        "run_id": first["run_id"],
        "worker": worker,
        "state": PREPARING,
        "requests": len(got),
        "created_at": calls.now(),
    }
    batch_id = int(connection.scalar(insert(LlmBatch).values(values).returning(LlmBatch.id)) or 0)
    connection.execute(
        update(LlmCall)
        .where(among(connection, LlmCall.request_hash, sorted(got)))
        .values(state=calls.BATCH, batch_id=batch_id, worker=None)
    )
    return batch_id, got


def handed_over(connection: Connection, batch_id: int, remote_id: str) -> None:
    """Write down the id that the service gave a batch."""
    change = {"state": SUBMITTED, "remote_id": remote_id}
    connection.execute(update(LlmBatch).where(LlmBatch.id == batch_id).values(change))


def finish(connection: Connection, batch_id: int, state: str, error: str | None = None) -> int:
    """Write down how a batch ended; free and count the requests that it left without outcome."""
    change = {"state": state, "error": error, "ended_at": calls.now()}
    connection.execute(update(LlmBatch).where(LlmBatch.id == batch_id).values(change))
    left = delete(LlmCall).where(LlmCall.batch_id == batch_id, LlmCall.state == calls.BATCH)
    return int(connection.execute(left).rowcount)


def unfinished(connection: Connection, component_id: int | None) -> list[BatchRow]:
    """Return the batches of a component that may still bring replies, oldest first."""
    return _select(
        connection,
        LlmBatch.state.in_((PREPARING, SUBMITTED)),
        LlmBatch.component_id.is_not_distinct_from(component_id),
    )


def list_all(connection: Connection) -> list[BatchRow]:
    """Return all batches, oldest first."""
    return _select(connection)


def _select(connection: Connection, *where: Any) -> list[BatchRow]:
    rows: Any = connection.execute(select(*_COLUMNS).where(*where).order_by(LlmBatch.id))
    return [BatchRow(*row) for row in rows]


def hashes(connection: Connection, batch_id: int) -> set[str]:
    """Return the requests of a batch that have no outcome yet."""
    waiting = (LlmCall.batch_id == batch_id, LlmCall.state == calls.BATCH)
    return set(connection.scalars(select(LlmCall.request_hash).where(*waiting)))


def waiting(connection: Connection) -> dict[int, int]:
    """Return by batch how many of its requests have no outcome yet."""
    rows = connection.execute(
        select(LlmCall.batch_id, func.count())
        .where(LlmCall.state == calls.BATCH, LlmCall.batch_id.is_not(None))
        .group_by(LlmCall.batch_id)
    )
    return {int(batch or 0): count for batch, count in rows}
