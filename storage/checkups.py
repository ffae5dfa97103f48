"""Statements on what `ig4 check` found of columns of scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ig4.storage.bulk import upsert
from ig4.storage.integrity.seals import are_sound, seal
from ig4.storage.runs import now
from ig4.storage.schema import Checkup

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class CheckupRow:
    """What was found of a column; `inputs` is a digest of its component and its values."""

    name: str
    component_id: int
    inputs: str
    result: Mapping[str, Any]
    created_at: datetime


def put(
    connection: Connection,
    *,
    dataset_id: int,
    name: str,
    component_id: int,
    inputs: str,
    result: Mapping[str, Any],
    run_id: int | None,
) -> None:
    """Store what was found of a column, in the place of what was found before."""
    values = {
        "dataset_id": dataset_id,
        "name": name,
        "component_id": component_id,
        "inputs": inputs,
        "result": dict(result),
        "run_id": run_id,
        "created_at": now(),
    }
    updated = ["component_id", "inputs", "result", "run_id", "created_at"]
    connection.execute(
        upsert(connection, Checkup, ["dataset_id", "name"], update=updated).values(values)
    )
    seal(connection, Checkup, *_key(dataset_id, name))


def list_all(connection: Connection, dataset_id: int) -> dict[str, CheckupRow]:
    """Return what was found of the columns of a data set, by name.

    A row whose bytes have changed since is left out, as if it had never been stored.
    """
    here = Checkup.dataset_id == dataset_id
    names = connection.scalars(select(Checkup.name).where(here).order_by(Checkup.name)).all()
    sound = [name for name in names if are_sound(connection, Checkup, *_key(dataset_id, name))]
    rows = connection.execute(
        select(
            Checkup.name,
            Checkup.component_id,
            Checkup.inputs,
            Checkup.result,
            Checkup.created_at,
        )
        .where(here, Checkup.name.in_(sound))
        .order_by(Checkup.name)
    )
    return {row.name: CheckupRow(*row) for row in rows}


def _key(dataset_id: int, name: str) -> tuple[Any, Any]:
    return Checkup.dataset_id == dataset_id, Checkup.name == name
