"""Statements on evaluations and the answers they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, insert, select, update

from ig4.storage.bulk import among, put_rows
from ig4.storage.runs import now
from ig4.storage.schema import Component, Evaluation, Prediction

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_COLUMNS = ("evaluation_id", "ordinal", "item_id", "category", "content", "answer", "error")


class PredictionRow(NamedTuple):
    """An answer, or the error in its place; `value` is its share of the headline."""

    ordinal: int
    item_id: str
    category: str
    content: str | None
    answer: str | None
    error: str | None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """An evaluation as stored; `benchmark` is the component's name, `name` the user's for it."""

    id: int
    name: str
    benchmark: str
    options: Mapping[str, Any]
    label: str
    source: str
    training_id: int | None
    inputs: str
    seed: int | None
    decoding: Mapping[str, Any] | None
    items: int
    answered: int
    failed: int
    status: str
    headline: str | None
    value: float | None
    metrics: Mapping[str, Any] | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


def find(connection: Connection, component_id: int, inputs: str) -> EvaluationRow | None:
    """Return the newest evaluation of a benchmark with equal inputs."""
    rows = _rows(
        connection, Evaluation.component_id == component_id, Evaluation.inputs == inputs
    )  # fmt: skip
    return rows[-1] if rows else None


def list_all(connection: Connection, evaluation_id: int | None = None) -> list[EvaluationRow]:
    """Return all evaluations, the newest last, or the one of an id."""
    where = () if evaluation_id is None else (Evaluation.id == evaluation_id,)
    return _rows(connection, *where)


def begin(
    connection: Connection,
    *,
    component_id: int,
    name: str,
    label: str,
    source: str,
    training_id: int | None,
    inputs: str,
    seed: int | None,
    decoding: Mapping[str, Any] | None,
    items: int,
    run_id: int | None,
) -> int:
    """Record that an evaluation begins; returns its id."""
    values = {
        "component_id": component_id,
        "name": name,
        "label": label,
        "source": source,
        "training_id": training_id,
        "inputs": inputs,
        "seed": seed,
        "decoding": None if decoding is None else dict(decoding),
        "items": items,
        "failed": 0,
        "status": "running",
        "run_id": run_id,
        "created_at": now(),
    }
    return int(connection.scalar(insert(Evaluation).values(values).returning(Evaluation.id)) or 0)


def resume(connection: Connection, evaluation_id: int, run_id: int | None) -> None:
    """Record that an evaluation goes on."""
    _set(
        connection, evaluation_id,
        {"status": "running", "error": None, "run_id": run_id, "finished_at": None},
    )  # fmt: skip


def name_it(
    connection: Connection, evaluation_id: int, *, label: str | None, training_id: int | None
) -> None:
    """Set who answered, and the training that model came from; None leaves what is there."""
    given = {"label": label, "training_id": training_id}
    values = {name: value for name, value in given.items() if value is not None}
    if values:
        _set(connection, evaluation_id, values)


def finish(
    connection: Connection,
    evaluation_id: int,
    status: str,
    *,
    failed: int | None = None,
    headline: str | None = None,
    value: float | None = None,
    metrics: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Record how an evaluation ended."""
    values: dict[str, Any] = {"status": status, "error": error, "finished_at": now()}
    if failed is not None:
        values["failed"] = failed
    if metrics is not None:
        values |= {"headline": headline, "value": value, "metrics": dict(metrics)}
    _set(connection, evaluation_id, values)


def put(connection: Connection, evaluation_id: int, rows: Iterable[PredictionRow]) -> None:
    """Store answers, each committed once: an ordinal that is there is replaced."""
    put_rows(
        connection,
        Prediction,
        _COLUMNS,
        [(evaluation_id, *row[:-1]) for row in rows],
        key=("evaluation_id", "ordinal"),
        update=_COLUMNS[2:],
    )


def put_values(connection: Connection, evaluation_id: int, values: Sequence[float | None]) -> None:
    """Store what each answer counts for, in the order of the items."""
    from sqlalchemy import bindparam

    statement = (
        update(Prediction)
        .where(Prediction.evaluation_id == evaluation_id, Prediction.ordinal == bindparam("at"))
        .values(value=bindparam("counts"))
    )
    rows = [{"at": at, "counts": value} for at, value in enumerate(values)]
    if rows:
        connection.execute(statement, rows)


def forget_failures(connection: Connection, evaluation_id: int) -> None:
    """Remove the errors of an evaluation, so that those questions are asked again."""
    connection.execute(
        delete(Prediction).where(
            Prediction.evaluation_id == evaluation_id, Prediction.error.is_not(None)
        )
    )


def predictions(connection: Connection, evaluation_id: int) -> list[PredictionRow]:
    """Return the answers of an evaluation, in the order of its items."""
    columns = [getattr(Prediction, name) for name in PredictionRow._fields]
    statement = (
        select(*columns)
        .where(Prediction.evaluation_id == evaluation_id)
        .order_by(Prediction.ordinal)
    )
    return [PredictionRow(*row) for row in connection.execute(statement)]


def known_answers(connection: Connection, contents: Sequence[str]) -> dict[str, str]:
    """Return, by content, the answers that some evaluation has already."""
    if not contents:
        return {}  # of no values PostgreSQL cannot tell the type
    statement = select(Prediction.content, Prediction.answer).where(
        among(connection, Prediction.content, contents), Prediction.answer.is_not(None)
    )
    return {str(content): str(answer) for content, answer in connection.execute(statement)}


def training_of(connection: Connection, output: str) -> int | None:
    """Return the newest finished training whose checkpoint is in a folder."""
    from ig4.storage.schema import Training

    statement = select(func.max(Training.id)).where(
        Training.output == output, Training.status == "done"
    )
    found: int | None = connection.scalar(statement)
    return found


def _set(connection: Connection, evaluation_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(Evaluation).where(Evaluation.id == evaluation_id).values(values))


def _rows(connection: Connection, *where: Any) -> list[EvaluationRow]:
    answered = (
        select(func.count())
        .where(Prediction.evaluation_id == Evaluation.id, Prediction.answer.is_not(None))
        .scalar_subquery()
    )
    statement = (
        select(
            Evaluation.id,
            Evaluation.name,
            Component.name,
            Component.options,
            Evaluation.label,
            Evaluation.source,
            Evaluation.training_id,
            Evaluation.inputs,
            Evaluation.seed,
            Evaluation.decoding,
            Evaluation.items,
            answered,
            Evaluation.failed,
            Evaluation.status,
            Evaluation.headline,
            Evaluation.value,
            Evaluation.metrics,
            Evaluation.error,
            Evaluation.created_at,
            Evaluation.finished_at,
        )
        .join(Component, Component.id == Evaluation.component_id)
        .where(*where)
        .order_by(Evaluation.id)
    )
    return [EvaluationRow(*row) for row in connection.execute(statement)]
