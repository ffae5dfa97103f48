"""Statements on the scores that samples were selected by: their values and percents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from struct import Struct
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import insert, select

from ig4.storage.bulk import put_rows
from ig4.storage.integrity.seals import seal
from ig4.storage.schema import SelectedScore, SelectionScorer
from ig4.storage.views import lock_schema, refresh_selections_wide

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class SelectionColumn:
    """A scorer that counts in a selection: its values and percents (size,), best sample first.

    None stands where a sample has none.
    """

    name: str
    component_id: int
    values: Sequence[float | None]
    percents: Sequence[float | None]


def put(connection: Connection, selection_id: int, columns: Sequence[SelectionColumn]) -> None:
    """Store what the samples of a selection were selected by; a new name joins the view."""
    if not columns:
        return
    known = set(connection.scalars(select(SelectionScorer.name).distinct()))
    changes_views = not {column.name for column in columns} <= known
    if changes_views:
        lock_schema(connection)  # before any row: processes that wait for each other must not meet
    rows = [
        {
            "selection_id": selection_id,
            "position": position,
            "name": column.name,
            "component_id": column.component_id,
            "values_crc": values_checksum(column.values, column.percents),
        }
        for position, column in enumerate(columns)
    ]
    connection.execute(insert(SelectionScorer), rows)
    seal(connection, SelectionScorer, SelectionScorer.selection_id == selection_id)
    names = ("selection_id", "rank", "position", "value", "percent")
    put_rows(
        connection,
        SelectedScore,
        names,
        [
            (selection_id, rank, position, value, percent)
            for position, column in enumerate(columns)
            for rank, (value, percent) in enumerate(
                zip(column.values, column.percents, strict=True), start=1
            )
        ],
    )
    if changes_views:
        refresh_selections_wide(connection)


def read(connection: Connection, selection_id: int) -> list[SelectionColumn]:
    """Return what the samples of a selection were selected by; nothing of an older ig4's."""
    mine = SelectionScorer.selection_id == selection_id
    table = SelectionScorer.__table__.c
    scorers = connection.execute(
        select(table.position, table.name, table.component_id).where(mine).order_by(table.position)
    ).all()
    found = []
    for position, name, component in scorers:
        rows = _stored(connection, selection_id, position)
        values, percents = [row[1] for row in rows], [row[2] for row in rows]
        found.append(SelectionColumn(name, component, values, percents))
    return found


def values_checksum(values: Sequence[float | None], percents: Sequence[float | None]) -> int:
    """Return the CRC-32 of values and percents with their ranks, from 1 on."""
    return _checksum(
        (rank, *pair) for rank, pair in enumerate(zip(values, percents, strict=True), start=1)
    )


def _checksum(rows: Iterable[Sequence[Any]]) -> int:
    crc = 0
    for rank, *pair in rows:
        crc = crc32(_ROW(rank, *(nan if one is None else one + 0.0 for one in pair)), crc)
    return crc


_ROW = Struct("<qdd").pack


def stored_checksum(connection: Connection, selection_id: int, position: int) -> int:
    """Return the CRC-32 of the values and percents that a selection has of a scorer."""
    return _checksum(_stored(connection, selection_id, position))


def checksums(connection: Connection, selection_id: int) -> list[tuple[int, int]]:
    """Return the position of each scorer of a selection, and the checksum of its scores."""
    table = SelectionScorer.__table__.c
    rows = connection.execute(
        select(table.position, table.values_crc).where(table.selection_id == selection_id)
    )
    return [(position, crc) for position, crc in rows]


def _stored(connection: Connection, selection_id: int, position: int) -> Sequence[Any]:
    """Return (rank, value, percent) of each sample of a selection, by rank."""
    table = SelectedScore.__table__.c
    return connection.execute(
        select(table.rank, table.value, table.percent)
        .where(table.selection_id == selection_id, table.position == position)
        .order_by(table.rank)
    ).all()
