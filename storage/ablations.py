"""Statements on ablations and their cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from ig4.storage.bulk import upsert
from ig4.storage.clock import after_all
from ig4.storage.integrity.seals import seal
from ig4.storage.runs import now
from ig4.storage.schema import Ablation, AblationCell, Dataset, Training

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_UPDATED = ("status", "samples", "selection_id", "training_id", "metrics", "error", "finished_at")


@dataclass(frozen=True, slots=True)
class AblationRow:
    """An ablation as stored."""

    id: int
    dataset: str
    config: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CellRow:
    """One arm with one seed; `metrics` has an entry for each benchmark."""

    arm: str
    seed: int
    status: str
    samples: int | None = None
    selection_id: int | None = None
    training_id: int | None = None
    metrics: Mapping[str, Any] | None = None
    error: str | None = None


def begin(
    connection: Connection,
    *,
    dataset_id: int,
    inputs: str,
    config: Mapping[str, Any],
    run_id: int | None,
) -> int:
    """Return the id of the ablation with these inputs, adding it if it is new.

    If it exists, its `config` is replaced: settings that `inputs` does not cover (how values are
    shown) keep their latest value.
    """
    existing = connection.scalar(select(Ablation.id).where(Ablation.inputs == inputs))
    if existing is not None:
        set_config(connection, existing, config)
        return existing
    values = {
        "dataset_id": dataset_id,
        "inputs": inputs,
        "config": dict(config),
        "run_id": run_id,
        "created_at": now(),
    }
    return int(connection.scalar(insert(Ablation).values(values).returning(Ablation.id)) or 0)


def set_config(connection: Connection, ablation_id: int, config: Mapping[str, Any]) -> None:
    """Replace what is kept of an ablation's settings and of what was made of its cells."""
    statement = update(Ablation).where(Ablation.id == ablation_id)
    connection.execute(statement.values(config=dict(config)))


def list_all(connection: Connection, ablation_id: int | None = None) -> list[AblationRow]:
    """Return all ablations, the newest last, or the one of an id."""
    statement = (
        select(Ablation.id, Dataset.name, Ablation.config, Ablation.created_at)
        .join(Dataset, Dataset.id == Ablation.dataset_id)
        .order_by(Ablation.id)
    )
    if ablation_id is not None:
        statement = statement.where(Ablation.id == ablation_id)
    return [AblationRow(*row) for row in connection.execute(statement)]


def put(connection: Connection, ablation_id: int, cell: CellRow) -> None:
    """Store a cell, or replace the stored one of this arm and seed."""
    ended = cell.status in ("done", "failed", "interrupted")
    values = {
        "ablation_id": ablation_id,
        "arm": cell.arm,
        "seed": cell.seed,
        "status": cell.status,
        "samples": cell.samples,
        "selection_id": cell.selection_id,
        "training_id": cell.training_id,
        "metrics": None if cell.metrics is None else dict(cell.metrics),
        "error": cell.error,
        "finished_at": after_all(connection, AblationCell.finished_at) if ended else None,
    }
    statement = upsert(connection, AblationCell, ["ablation_id", "arm", "seed"], update=_UPDATED)
    connection.execute(statement.values(values))
    seal(
        connection,
        AblationCell,
        AblationCell.ablation_id == ablation_id,
        AblationCell.arm == cell.arm,
        AblationCell.seed == cell.seed,
    )


def cells(connection: Connection, ablation_id: int) -> list[CellRow]:
    """Return the cells of an ablation, by arm and seed."""
    statement = (
        _cells()
        .where(AblationCell.ablation_id == ablation_id)
        .order_by(AblationCell.arm, AblationCell.seed)
    )
    return [CellRow(*row) for row in connection.execute(statement)]


def measured_cells(connection: Connection, dataset_id: int) -> list[CellRow]:
    """Return every cell of a data set's ablations that has metrics, the oldest first."""
    statement = (
        _cells()
        .join(Ablation, Ablation.id == AblationCell.ablation_id)
        .where(Ablation.dataset_id == dataset_id, AblationCell.status.in_(("done", "failed")))
        .order_by(AblationCell.finished_at)
    )
    rows = [CellRow(*row) for row in connection.execute(statement)]
    return [row for row in rows if row.metrics]


def find_training(connection: Connection, output: str) -> int | None:
    """Return the id of the newest training that writes its checkpoint to `output`."""
    return connection.scalar(select(func.max(Training.id)).where(Training.output == output))


def _cells() -> Any:
    return select(
        AblationCell.arm,
        AblationCell.seed,
        AblationCell.status,
        AblationCell.samples,
        AblationCell.selection_id,
        AblationCell.training_id,
        AblationCell.metrics,
        AblationCell.error,
    )
