"""Statements on the names that users give selections: each is one of its kind in a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from ig4.storage.integrity.seals import seal
from ig4.storage.runs import now
from ig4.storage.schema import Selection, SelectionName

if TYPE_CHECKING:
    from sqlalchemy import Connection


def put(connection: Connection, selection_id: int, name: str, note: str | None) -> None:
    """Name a selection, in place of any earlier name and note; no other one may have the name."""
    mine = SelectionName.selection_id == selection_id
    connection.execute(delete(SelectionName).where(mine))
    dataset_id = connection.scalar(select(Selection.dataset_id).where(Selection.id == selection_id))
    values = {
        "selection_id": selection_id,
        "dataset_id": dataset_id,
        "name": name,
        "note": note,
        "created_at": now(),
    }
    connection.execute(insert(SelectionName).values(values))
    seal(connection, SelectionName, mine)


def remove(connection: Connection, selection_id: int) -> None:
    """Let a selection have no name."""
    connection.execute(delete(SelectionName).where(SelectionName.selection_id == selection_id))


def find(connection: Connection, name: str, dataset_id: int | None = None) -> list[int]:
    """Return the ids of the selections of a name: at most one of each data set, oldest first."""
    statement = select(SelectionName.selection_id).where(SelectionName.name == name)
    if dataset_id is not None:
        statement = statement.where(SelectionName.dataset_id == dataset_id)
    return list(connection.scalars(statement.order_by(SelectionName.selection_id)))


def all_names(connection: Connection, dataset_id: int | None = None) -> list[str]:
    """Return all names of selections, of a data set if given, in their order."""
    statement = select(SelectionName.name).distinct().order_by(SelectionName.name)
    if dataset_id is not None:
        statement = statement.where(SelectionName.dataset_id == dataset_id)
    return list(connection.scalars(statement))
