"""Statements on evaluations and their answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update

from ig4.storage.bulk import in_values, put_rows
from ig4.storage.integrity.seals import checksum, covered, expressions, is_sound, resealed, seal
from ig4.storage.runs import now
from ig4.storage.schema import Component, Evaluation, Prediction, Run, Training

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_COLUMNS = covered(Prediction)


class PredictionRow(NamedTuple):
    """An answer, or the error in its place; `value` is its score in the headline metric."""

    ordinal: int
    item_id: str
    category: str
    content: str | None
    answer: str | None
    error: str | None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """An evaluation as stored; `benchmark` is the component, `name` the user's name for it."""

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
    """Return the newest evaluation by a benchmark component with equal inputs."""
    rows = _select(
        connection, Evaluation.component_id == component_id, Evaluation.inputs == inputs
    )  # fmt: skip
    return rows[-1] if rows else None


def list_all(connection: Connection, evaluation_id: int | None = None) -> list[EvaluationRow]:
    """Return all evaluations, the newest last, or the one of an id."""
    where = () if evaluation_id is None else (Evaluation.id == evaluation_id,)
    return _select(connection, *where)


def made_on(connection: Connection, fingerprint: str) -> list[tuple[int, str | None]]:
    """Return the ids of the evaluations by a benchmark of this fingerprint, and their commands."""
    statement = (
        select(Evaluation.id, Run.command)
        .join(Component, Component.id == Evaluation.component_id)
        .join(Run, Run.id == Evaluation.run_id, isouter=True)
        .where(Component.fingerprint == fingerprint)
        .order_by(Evaluation.id)
    )
    return [(number, command) for number, command in connection.execute(statement)]


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
    """Record the start of an evaluation; returns its id."""
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
    new = connection.scalar(insert(Evaluation).values(values).returning(Evaluation.id))
    seal(connection, Evaluation, Evaluation.id == new)
    return int(new or 0)


def resume(connection: Connection, evaluation_id: int, run_id: int | None) -> None:
    """Record that an evaluation was resumed."""
    _set(
        connection, evaluation_id,
        {"status": "running", "error": None, "run_id": run_id, "finished_at": None},
    )  # fmt: skip


def set_model(
    connection: Connection, evaluation_id: int, *, label: str | None, training_id: int | None
) -> None:
    """Set the label of the model that answered, and its training; None changes nothing."""
    fields = {"label": label, "training_id": training_id}
    values = {name: value for name, value in fields.items() if value is not None}
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
    """Store answers; an answer with the same ordinal is replaced."""
    named = [{"evaluation_id": evaluation_id, **row._asdict()} for row in rows]
    put_rows(
        connection,
        Prediction,
        (*_COLUMNS, "crc"),
        [(*(row[name] for name in _COLUMNS), checksum(Prediction, row)) for row in named],
        key=("evaluation_id", "ordinal"),
        update=(*_COLUMNS[2:], "crc"),
    )


def put_values(connection: Connection, evaluation_id: int, values: Sequence[float | None]) -> None:
    """Store the value of each answer, in the order of the items."""
    statement = (
        update(Prediction)
        .where(Prediction.evaluation_id == evaluation_id, Prediction.ordinal == bindparam("item"))
        .values(value=bindparam("new_value"), crc=bindparam("new_crc"))
    )
    stored = connection.execute(
        select(*expressions(connection, Prediction), Prediction.crc).where(
            Prediction.evaluation_id == evaluation_id
        )
    ).mappings()
    rows = []
    for row in map(dict, stored.all()):
        if row["ordinal"] >= len(values):
            continue
        value = values[row["ordinal"]]
        crc = row["crc"]
        if is_sound(Prediction, row):  # what was damaged before stays so
            crc = checksum(Prediction, {**row, "value": value})
        rows.append({"item": row["ordinal"], "new_value": value, "new_crc": crc})
    if rows:
        connection.execute(statement, rows)


def delete_failures(connection: Connection, evaluation_id: int) -> None:
    """Delete the errors of an evaluation, so that its questions are asked again."""
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
    """Return the answers that any evaluation has stored, by content."""
    if not contents:
        return {}  # PostgreSQL cannot infer the type of an empty array
    statement = select(Prediction.content, Prediction.answer).where(
        in_values(connection, Prediction.content, contents), Prediction.answer.is_not(None)
    )
    return {str(content): str(answer) for content, answer in connection.execute(statement)}


def find_training(connection: Connection, output: str) -> int | None:
    """Return the id of the newest finished training whose checkpoint is in `output`."""
    statement = select(func.max(Training.id)).where(
        Training.output == output, Training.status == "done"
    )
    return connection.scalar(statement)


def _set(connection: Connection, evaluation_id: int, values: Mapping[str, Any]) -> None:
    here = Evaluation.id == evaluation_id
    with resealed(connection, Evaluation, here):
        connection.execute(update(Evaluation).where(here).values(values))


def _select(connection: Connection, *where: Any) -> list[EvaluationRow]:
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
