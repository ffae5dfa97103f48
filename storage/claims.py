"""Statements on claims: which process computes which batch of a scorer or embedder just now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, delete, select, text

from ig4.storage.bulk import put_rows
from ig4.storage.schema import ScoreClaim
from ig4.storage.workers import limit_idleness

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


class Span(NamedTuple):
    """Units of a component, counted through the data set: those from `first` to `last`."""

    component_id: int
    first: int
    last: int


class ClaimRow(NamedTuple):
    """A span that a process has claimed."""

    span: Span
    worker: str


def lock(connection: Connection, dataset_id: int) -> None:
    """Wait until no other process claims anything of a data set, and keep them from it.

    The lock ends with the transaction. On SQLite a transaction that writes has locked the whole
    database already.
    """
    limit_idleness(connection)
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:kind, :number)"),
            {"kind": _CLAIMS_LOCK, "number": dataset_id},
        )


_CLAIMS_LOCK = 0x696735


def list_all(connection: Connection, dataset_id: int) -> list[ClaimRow]:
    """Return all claims on a data set."""
    columns = (ScoreClaim.component_id, ScoreClaim.first, ScoreClaim.last, ScoreClaim.worker)
    rows = connection.execute(select(*columns).where(ScoreClaim.dataset_id == dataset_id))
    return [
        ClaimRow(Span(component, first, last), worker) for component, first, last, worker in rows
    ]


def put(connection: Connection, dataset_id: int, worker: str, spans: Sequence[Span]) -> None:
    """Claim spans, of which no other process has a part; see `lock` and `list_all`."""
    columns = ("dataset_id", "component_id", "first", "last", "worker")
    key = ["dataset_id", "component_id", "first"]
    rows = [(dataset_id, *span, worker) for span in spans]
    put_rows(connection, ScoreClaim, columns, rows, key=key, update=["last", "worker"])


def release(connection: Connection, dataset_id: int, worker: str, span: Span) -> bool:
    """Release a span; returns whether it was still this process's.

    Until the transaction ends, nobody else can take it.
    """
    limit_idleness(connection)
    own = and_(_of(dataset_id, worker), ScoreClaim.component_id == span.component_id)
    statement = delete(ScoreClaim).where(own, ScoreClaim.first == span.first)
    return bool(connection.execute(statement).rowcount)


def release_all(connection: Connection, dataset_id: int, worker: str) -> None:
    """Release all that a process has claimed of a data set."""
    connection.execute(delete(ScoreClaim).where(_of(dataset_id, worker)))


def _of(dataset_id: int, worker: str) -> ColumnElement[bool]:
    return and_(ScoreClaim.dataset_id == dataset_id, ScoreClaim.worker == worker)
