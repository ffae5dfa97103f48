"""Statements on selections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from operator import attrgetter
from struct import Struct
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import delete, insert, select

from ig4.storage import selectedscores
from ig4.storage.integrity.seals import seal
from ig4.storage.membership import prefixes
from ig4.storage.runs import now
from ig4.storage.schema import (
    AblationCell,
    Component,
    Sample,
    SelectedSample,
    Selection,
    SelectionName,
    SelectionReport,
    Training,
)
from ig4.storage.subsets import OWN, SUBSETS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from ig4.storage.selectedscores import SelectionColumn


@dataclass(frozen=True, slots=True)
class SelectionRow:
    """A selection as stored, without its samples; `name` and `note` are the user's."""

    id: int
    dataset_id: int
    clustering_id: int | None
    size: int
    config: Mapping[str, Any]
    digest: str
    created_at: datetime
    run_id: int | None = None
    name: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ListedSelection:
    """A selection with its label, that of the recipe; a subset is one that nobody made."""

    row: SelectionRow
    label: str | None
    is_subset: bool


@dataclass(frozen=True, slots=True)
class SelectionItem:
    """One selected sample; `quota` is what its cluster or group could give, None if not dealt."""

    sample_id: int
    content_id: int
    external_id: str
    rank: int
    cluster: int
    final_score: float | None
    quota: int | None = None


def put(
    connection: Connection,
    *,
    dataset_id: int,
    component_id: int,
    clustering_id: int | None,
    config: Mapping[str, Any],
    digest: str,
    run_id: int | None,
    items: Sequence[SelectionItem],
    scores: Sequence[SelectionColumn] = (),
) -> int:
    """Store a selection with the scores that its samples were selected by; returns its id."""
    values = {
        "dataset_id": dataset_id,
        "component_id": component_id,
        "clustering_id": clustering_id,
        "size": len(items),
        "config": dict(config),
        "digest": digest,
        "run_id": run_id,
        "created_at": now(),
        "samples_crc": samples_checksum(items),
    }
    selection_id = int(
        connection.scalar(insert(Selection).values(values).returning(Selection.id)) or 0
    )
    seal(connection, Selection, Selection.id == selection_id)
    rows = [
        {
            "selection_id": selection_id,
            "rank": item.rank,
            "sample_id": item.sample_id,
            "content_id": item.content_id,
            "cluster": item.cluster,
            "final_score": item.final_score,
            "quota": item.quota,
        }
        for item in items
    ]
    if rows:
        connection.execute(insert(SelectedSample), rows)
    selectedscores.put(connection, selection_id, scores)
    return selection_id


def put_report(
    connection: Connection, selection_id: int, name: str | None, report: Mapping[str, Any]
) -> None:
    """Store what a selection is told with, in place of an older report; a name stays if none."""
    mine = SelectionReport.selection_id == selection_id
    kept = connection.scalar(select(SelectionReport.name).where(mine)) if name is None else name
    connection.execute(delete(SelectionReport).where(mine))
    values = {"selection_id": selection_id, "name": kept, "report": dict(report)}
    connection.execute(insert(SelectionReport).values(values))
    seal(connection, SelectionReport, mine)


def report(connection: Connection, selection_id: int) -> tuple[str | None, Mapping[str, Any]]:
    """Return the name and the report of a selection; (None, {}) if an older ig4 made it."""
    row = connection.execute(
        select(SelectionReport.name, SelectionReport.report).where(
            SelectionReport.selection_id == selection_id
        )
    ).first()
    return (None, {}) if row is None else (row.name, row.report)


def samples_checksum(items: Sequence[SelectionItem]) -> int:
    """Return the CRC-32 of the samples of a selection with contents, ranks, scores and quotas."""
    crc = len(items)
    for one in sorted(items, key=attrgetter("rank")):
        score = nan if one.final_score is None else one.final_score + 0.0
        row = (one.rank, one.sample_id, one.content_id, one.cluster, score)
        crc = crc32(_ITEM(*row), crc)
        if one.quota is not None:  # those of an older ig4 have none
            crc = crc32(_QUOTA(one.quota), crc)
    return crc


_ITEM = Struct("<qqqqd").pack
_QUOTA = Struct("<q").pack


def stored_checksum(connection: Connection, selection_id: int) -> int:
    """Return the CRC-32 of the samples that a selection has."""
    table = SelectedSample.__table__.c
    rows: Any = connection.execute(
        select(
            table.sample_id, table.content_id, table.rank, table.rank, table.cluster,
            table.final_score, table.quota,
        ).where(table.selection_id == selection_id)
    )  # fmt: skip
    return samples_checksum([SelectionItem(*row) for row in rows])


def last(
    connection: Connection, dataset_id: int | None = None, digest: str | None = None
) -> SelectionRow | None:
    """Return the newest selection, of a data set and digest if given.

    The subsets that weights are learned from are selections that nobody made: only by their digest.
    """
    statement = _columns().order_by(Selection.id.desc()).limit(1)
    if dataset_id is not None:
        statement = statement.where(Selection.dataset_id == dataset_id)
    if digest is not None:
        statement = statement.where(Selection.digest == digest)
    else:
        statement = statement.where(Selection.component_id.not_in(_subset_components()))
    row = connection.execute(statement).first()
    return None if row is None else SelectionRow(*row)


def find(connection: Connection, selection_id: int) -> SelectionRow | None:
    """Return a selection by its id."""
    row = connection.execute(_columns().where(Selection.id == selection_id)).first()
    return None if row is None else SelectionRow(*row)


def list_all(
    connection: Connection,
    dataset_id: int | None = None,
    *,
    subsets: bool = False,
    limit: int | None = None,
) -> list[ListedSelection]:
    """Return the selections, of a data set if given, the newest first, `limit` of them.

    With `subsets`, also those that weights are learned from, which nobody made.
    """
    hidden = Selection.component_id.in_(_subset_components())
    statement = (
        _columns()
        .add_columns(SelectionReport.name, hidden)
        .outerjoin(SelectionReport, SelectionReport.selection_id == Selection.id)
        .order_by(Selection.id.desc())
        .limit(limit)
    )
    if dataset_id is not None:
        statement = statement.where(Selection.dataset_id == dataset_id)
    if not subsets:
        statement = statement.where(~hidden)
    return [
        ListedSelection(SelectionRow(*row[:-2]), row[-2], bool(row[-1]))
        for row in connection.execute(statement)
    ]


def references(connection: Connection, selection_id: int) -> tuple[list[int], list[str]]:
    """Return the trainings on a selection by number, and the cells of ablations, as `1: arm/42`."""
    trained = connection.scalars(
        select(Training.id).where(Training.selection_id == selection_id).order_by(Training.id)
    ).all()
    cells = connection.execute(
        select(AblationCell.ablation_id, AblationCell.arm, AblationCell.seed)
        .where(AblationCell.selection_id == selection_id)
        .order_by(AblationCell.ablation_id, AblationCell.arm, AblationCell.seed)
    )
    return list(trained), [f"{ablation}: {arm}/{seed}" for ablation, arm, seed in cells]


def remove(connection: Connection, selection_id: int) -> None:
    """Delete a selection with all that belongs to it."""
    connection.execute(delete(Selection).where(Selection.id == selection_id))


def _subset_components() -> Any:
    return select(Component.id).where(
        Component.kind == "selector", Component.name == SUBSETS, Component.distribution == OWN
    )


def samples(connection: Connection, selection_id: int) -> list[SelectionItem]:
    """Return the samples of a selection by rank."""
    made_of = connection.scalar(select(Selection.dataset_id).where(Selection.id == selection_id))
    before = prefixes(connection, made_of)
    statement = (
        select(
            Sample.dataset_id,
            SelectedSample.sample_id,
            SelectedSample.content_id,
            Sample.external_id,
            SelectedSample.rank,
            SelectedSample.cluster,
            SelectedSample.final_score,
            SelectedSample.quota,
        )
        .join(Sample, Sample.id == SelectedSample.sample_id)
        .where(SelectedSample.selection_id == selection_id)
        .order_by(SelectedSample.rank)
    )
    return [
        SelectionItem(sample, content, before.get(owner, "") + name, rank, cluster, score, quota)
        for owner, sample, content, name, rank, cluster, score, quota in connection.execute(
            statement
        )
    ]


def _columns() -> Any:
    return select(
        Selection.id,
        Selection.dataset_id,
        Selection.clustering_id,
        Selection.size,
        Selection.config,
        Selection.digest,
        Selection.created_at,
        Selection.run_id,
        SelectionName.name,
        SelectionName.note,
    ).outerjoin(SelectionName, SelectionName.selection_id == Selection.id)
