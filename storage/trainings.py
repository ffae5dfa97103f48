"""Statements on trainings and their loss curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from ig4.storage.bulk import put_rows
from ig4.storage.integrity.seals import checksum, covered, resealed, seal
from ig4.storage.runs import now
from ig4.storage.schema import Component, Dataset, Training, TrainingStep

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_STEP = ("step", "epoch", "loss", "learning_rate", "grad_norm", "seconds")


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A training as stored; `steps` is the planned number of steps, `done` the newest step."""

    id: int
    dataset: str
    selection_id: int | None
    trainer: str
    options: Mapping[str, Any]
    samples: int
    seed: int
    output: str
    status: str
    steps: int | None
    done: int | None
    metrics: Mapping[str, Any] | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


def begin(
    connection: Connection,
    *,
    dataset_id: int,
    selection_id: int | None,
    component_id: int,
    inputs: str,
    samples: int,
    seed: int,
    output: str,
    run_id: int | None,
) -> int:
    """Start a training, or resume the unfinished one in the same folder; returns its id."""
    unfinished = select(Training.id).where(
        Training.inputs == inputs, Training.output == output, Training.status != "done"
    )
    existing = connection.scalar(unfinished.order_by(Training.id.desc()).limit(1))
    if existing is not None:
        again = {"status": "running", "error": None, "run_id": run_id, "finished_at": None}
        _set(connection, existing, again)
        return int(existing)
    values = {
        "dataset_id": dataset_id,
        "selection_id": selection_id,
        "component_id": component_id,
        "inputs": inputs,
        "samples": samples,
        "seed": seed,
        "output": output,
        "status": "running",
        "run_id": run_id,
        "created_at": now(),
    }
    new = connection.scalar(insert(Training).values(values).returning(Training.id))
    seal(connection, Training, Training.id == new)
    return int(new or 0)


def _set(connection: Connection, training_id: int, values: Mapping[str, Any]) -> None:
    here = Training.id == training_id
    with resealed(connection, Training, here):
        connection.execute(update(Training).where(here).values(values))


def begin_steps(connection: Connection, training_id: int, steps: int, done: int) -> None:
    """Record the planned number of steps, and delete the steps after `done`: they run again."""
    _set(connection, training_id, {"steps": steps})
    connection.execute(
        delete(TrainingStep).where(
            TrainingStep.training_id == training_id, TrainingStep.step > done
        )
    )


def put_steps(
    connection: Connection, training_id: int, steps: Sequence[Sequence[float | None]]
) -> None:
    """Store steps: rows of step, epoch, loss, learning rate, gradient norm, seconds."""
    columns = covered(TrainingStep)
    rows = [(training_id, *row) for row in steps]
    put_rows(
        connection,
        TrainingStep,
        (*columns, "crc"),
        [(*row, checksum(TrainingStep, dict(zip(columns, row, strict=True)))) for row in rows],
        key=("training_id", "step"),
        update=(*_STEP[1:], "crc"),
    )


def finish(
    connection: Connection,
    training_id: int,
    status: str,
    *,
    metrics: Mapping[str, Any] | None = None,
    error: str | None = None,
) -> None:
    """Record how a training ended."""
    values = {
        "status": status,
        "metrics": None if metrics is None else dict(metrics),
        "error": error,
        "finished_at": now(),
    }
    _set(connection, training_id, values)


def list_all(connection: Connection, training_id: int | None = None) -> list[TrainingRow]:
    """Return all trainings, the newest last, or the one of an id."""
    done = (
        select(func.max(TrainingStep.step))
        .where(TrainingStep.training_id == Training.id)
        .scalar_subquery()
    )
    statement = (
        select(
            Training.id,
            Dataset.name,
            Training.selection_id,
            Component.name,
            Component.options,
            Training.samples,
            Training.seed,
            Training.output,
            Training.status,
            Training.steps,
            done,
            Training.metrics,
            Training.error,
            Training.created_at,
            Training.finished_at,
        )
        .join(Dataset, Dataset.id == Training.dataset_id)
        .join(Component, Component.id == Training.component_id)
        .order_by(Training.id)
    )
    if training_id is not None:
        statement = statement.where(Training.id == training_id)
    return [TrainingRow(*row) for row in connection.execute(statement)]


def steps(connection: Connection, training_id: int) -> list[tuple[Any, ...]]:
    """Return a training's steps: (step, epoch, loss, learning rate, gradient norm, seconds)."""
    columns = [getattr(TrainingStep, name) for name in _STEP]
    statement = (
        select(*columns).where(TrainingStep.training_id == training_id).order_by(TrainingStep.step)
    )
    return [tuple(row) for row in connection.execute(statement)]
