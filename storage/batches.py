"""Statements on batches: requests submitted to a service together and answered later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import cast, delete, func, insert, select, tuple_, update

from ig4.storage import calls
from ig4.storage.bulk import in_values, update_rows
from ig4.storage.integrity.seals import resealed, seal
from ig4.storage.runs import now
from ig4.storage.schema import Component, LlmBatch, LlmCall

if TYPE_CHECKING:
    from sqlalchemy import Connection

PREPARING, SUBMITTED, ENDED, CANCELLED, FAILED, LOST, RESENT = (
    "preparing", "submitted", "ended", "cancelled", "failed", "lost", "resent"
)  # fmt: skip
"""The states of a batch: recorded, submitted to the service, and the three ways it ends.

A lost one was submitted, and the service does not have it, or not its results. Its requests may
have been paid for: they are sent again only once the user has said so, which makes it resent.
"""

_OPEN = (calls.BATCH, calls.LOST)  # calls without an outcome


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as stored; `requests` is how many requests it was made of."""

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
    elsewhere: calls.Elsewhere | None = None,
) -> tuple[int, set[str]]:
    """Record a batch before it is submitted; return its id and the request hashes it may hold.

    `rows` are calls as `calls.claim` takes them, all of one model and component; with the most
    that each may `cost`, in US dollars, if that is known. Calls that another process has claimed
    are left out; if none is left, there is no batch and the id is 0.
    """
    refused = calls.claim(connection, worker, rows, renew=renew, elsewhere=elsewhere)
    claimed = {row["request_hash"] for row in rows} - set(refused)
    if not claimed:
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
        "requests": len(claimed),
        "created_at": now(),
    }
    batch_id = int(connection.scalar(insert(LlmBatch).values(values).returning(LlmBatch.id)) or 0)
    seal(connection, LlmBatch, LlmBatch.id == batch_id)
    connection.execute(
        update(LlmCall)
        .where(in_values(connection, LlmCall.request_hash, sorted(claimed)))
        .values(state=calls.BATCH, batch_id=batch_id, worker=None)
    )
    worst = [(row["request_hash"], row.get("cost")) for row in rows]
    worst = [(name, cost) for name, cost in worst if cost is not None and name in claimed]
    update_rows(connection, LlmCall, "request_hash", ("cost",), worst)
    return batch_id, claimed


def mark_submitted(connection: Connection, batch_id: int, remote_id: str) -> None:
    """Record that the service accepted a batch, and the id it gave it."""
    _set(connection, batch_id, {"state": SUBMITTED, "remote_id": remote_id, "error": None})
    lost = (LlmCall.batch_id == batch_id, LlmCall.state == calls.LOST)
    connection.execute(update(LlmCall).where(*lost).values(state=calls.BATCH))


def mark_lost(connection: Connection, batch_id: int, error: str) -> int:
    """Record that the service does not have a batch; return how many requests have no outcome."""
    _set(connection, batch_id, {"state": LOST, "error": error})
    pending = (LlmCall.batch_id == batch_id, LlmCall.state.in_(_OPEN))
    return connection.execute(update(LlmCall).where(*pending).values(state=calls.LOST)).rowcount


def give_up(connection: Connection, batch_id: int) -> int:
    """Free the requests of a batch that may have been paid for; return their number.

    The costs go on counting them as perhaps paid, under another hash.
    """
    _set(connection, batch_id, {"state": RESENT})
    pending = (LlmCall.batch_id == batch_id, LlmCall.state.in_(_OPEN))
    archived = LlmCall.request_hash + "/" + cast(LlmCall.id, LlmCall.request_hash.type)
    values = {"state": calls.LOST, "request_hash": archived}
    return connection.execute(update(LlmCall).where(*pending).values(values)).rowcount


def finish(connection: Connection, batch_id: int, state: str, error: str | None = None) -> int:
    """Record how a batch ended; release its requests without outcome and return their number."""
    _set(connection, batch_id, {"state": state, "error": error, "ended_at": now()})
    pending = delete(LlmCall).where(LlmCall.batch_id == batch_id, LlmCall.state.in_(_OPEN))
    return int(connection.execute(pending).rowcount)


def _set(connection: Connection, batch_id: int, values: Mapping[str, Any]) -> None:
    here = LlmBatch.id == batch_id
    with resealed(connection, LlmBatch, here):
        connection.execute(update(LlmBatch).where(here).values(values))


def list_unfinished(connection: Connection, component_id: int | None) -> list[BatchRow]:
    """Return the batches of a component that may still return replies, oldest first."""
    return _select(
        connection,
        LlmBatch.state.in_((PREPARING, SUBMITTED, LOST)),
        LlmBatch.component_id.is_not_distinct_from(component_id),
    )


def siblings_at_work(connection: Connection, component_id: int) -> list[int]:
    """Return the components with unfinished batches that differ only in version or options."""
    own = select(Component.kind, Component.name, Component.distribution).where(
        Component.id == component_id
    )
    return list(
        connection.scalars(
            select(Component.id)
            .join(LlmBatch, LlmBatch.component_id == Component.id)
            .where(
                tuple_(Component.kind, Component.name, Component.distribution).in_(own),
                Component.id != component_id,
                LlmBatch.state.in_((PREPARING, SUBMITTED)),
            )
            .distinct()
            .order_by(Component.id)
        )
    )


def list_all(connection: Connection) -> list[BatchRow]:
    """Return all batches, oldest first."""
    return _select(connection)


def _select(connection: Connection, *where: Any) -> list[BatchRow]:
    rows: Any = connection.execute(select(*_COLUMNS).where(*where).order_by(LlmBatch.id))
    return [BatchRow(*row) for row in rows]


def pending_hashes(connection: Connection, batch_id: int) -> set[str]:
    """Return the request hashes of a batch that have no outcome yet."""
    pending = (LlmCall.batch_id == batch_id, LlmCall.state.in_(_OPEN))
    return set(connection.scalars(select(LlmCall.request_hash).where(*pending)))


def count_pending(connection: Connection) -> dict[int, int]:
    """Return the number of requests that wait for a reply by batch id."""
    return _count(connection, calls.BATCH)


def count_lost(connection: Connection) -> dict[int, int]:
    """Return the number of requests that are lost with their batch by batch id."""
    return _count(connection, calls.LOST)


def _count(connection: Connection, state: str) -> dict[int, int]:
    rows = connection.execute(
        select(LlmCall.batch_id, func.count())
        .where(LlmCall.state == state, LlmCall.batch_id.is_not(None))
        .group_by(LlmCall.batch_id)
    )
    return {int(batch or 0): count for batch, count in rows}
