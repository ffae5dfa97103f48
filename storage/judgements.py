"""Statements on judgements and their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from ig4.storage.bulk import put_rows
from ig4.storage.integrity.seals import checksum, covered, resealed, seal
from ig4.storage.runs import now
from ig4.storage.schema import Component, Judgement, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_VERDICT = (
    "pair_id", "swapped", "category", "first_score", "second_score", "explanation", "error",
)  # fmt: skip

VerdictRow = tuple[str, bool, str, float | None, float | None, str | None, str | None]
"""(pair id, swapped, category, first's score, second's score, explanation, error)."""


@dataclass(frozen=True, slots=True)
class JudgementRow:
    """A judgement as stored, with `verdicts` so far, `failed` of them with an error."""

    id: int
    name: str
    options: Mapping[str, Any]
    first: str
    second: str
    pairs: int
    verdicts: int
    failed: int
    status: str
    summary: Mapping[str, Any] | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


def find(connection: Connection, inputs: str) -> int | None:
    """Return the id of the newest judgement with equal inputs, or None."""
    same = select(Judgement.id).where(Judgement.inputs == inputs)
    return connection.scalar(same.order_by(Judgement.id.desc()).limit(1))


def begin(
    connection: Connection,
    *,
    component_id: int,
    name: str,
    first: str,
    second: str,
    inputs: str,
    pairs: int,
    run_id: int | None,
) -> int:
    """Start a judgement, or resume the one with equal inputs; returns its id."""
    values: dict[str, Any] = {
        "name": name,
        "first": first,
        "second": second,
        "status": "running",
        "error": None,
        "run_id": run_id,
        "finished_at": None,
    }
    existing = find(connection, inputs)
    if existing is not None:
        _set(connection, existing, values)
        return existing
    values |= {
        "component_id": component_id,
        "inputs": inputs,
        "pairs": pairs,
        "created_at": now(),
    }
    new = connection.scalar(insert(Judgement).values(values).returning(Judgement.id))
    seal(connection, Judgement, Judgement.id == new)
    return int(new or 0)


def _set(connection: Connection, judgement_id: int, values: Mapping[str, Any]) -> None:
    here = Judgement.id == judgement_id
    with resealed(connection, Judgement, here):
        connection.execute(update(Judgement).where(here).values(values))


def delete_failures(connection: Connection, judgement_id: int) -> None:
    """Delete the failed verdicts of a judgement, so that they are requested again."""
    connection.execute(
        delete(Verdict).where(Verdict.judgement_id == judgement_id, Verdict.error.is_not(None))
    )


def put_verdicts(connection: Connection, judgement_id: int, rows: Sequence[VerdictRow]) -> None:
    """Store verdicts; one with the same pair and order is replaced."""
    columns = covered(Verdict)
    stored = [(judgement_id, *row) for row in rows]
    put_rows(
        connection,
        Verdict,
        (*columns, "crc"),
        [(*row, checksum(Verdict, dict(zip(columns, row, strict=True)))) for row in stored],
        key=("judgement_id", "pair_id", "swapped"),
        update=(*_VERDICT[2:], "crc"),
    )


def verdicts(connection: Connection, judgement_id: int) -> list[VerdictRow]:
    """Return the verdicts of a judgement, ordered by pair."""
    columns = [getattr(Verdict, name) for name in _VERDICT]
    statement = (
        select(*columns)
        .where(Verdict.judgement_id == judgement_id)
        .order_by(Verdict.pair_id, Verdict.swapped)
    )
    rows: Any = connection.execute(statement)
    return [tuple(row) for row in rows]


def finish(
    connection: Connection,
    judgement_id: int,
    status: str,
    *,
    summary: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Record how a judgement ended, or why it stopped."""
    values: dict[str, Any] = {"status": status, "error": error, "finished_at": now()}
    if summary is not None:
        values["summary"] = dict(summary)
    _set(connection, judgement_id, values)


def list_all(connection: Connection, judgement_id: int | None = None) -> list[JudgementRow]:
    """Return all judgements, the newest last, or the one of an id."""
    mine = Verdict.judgement_id == Judgement.id
    count = select(func.count()).select_from(Verdict)
    statement = (
        select(
            Judgement.id,
            Judgement.name,
            Component.options,
            Judgement.first,
            Judgement.second,
            Judgement.pairs,
            count.where(mine).correlate(Judgement).scalar_subquery(),
            count.where(mine, Verdict.error.is_not(None)).correlate(Judgement).scalar_subquery(),
            Judgement.status,
            Judgement.summary,
            Judgement.error,
            Judgement.created_at,
            Judgement.finished_at,
        )
        .join(Component, Component.id == Judgement.component_id)
        .order_by(Judgement.id)
    )
    if judgement_id is not None:
        statement = statement.where(Judgement.id == judgement_id)
    return [JudgementRow(*row) for row in connection.execute(statement)]
