"""Finds rows that are not what was stored, by their checksums, in every table of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ig4.storage import clusters, groups, selectedscores, selections
from ig4.storage.integrity.seals import expressions, is_sound
from ig4.storage.schema import (
    AblationCell,
    Base,
    Checkup,
    Clustering,
    ClusterLabel,
    Component,
    DatasetScorer,
    DatasetSpace,
    Evaluation,
    Grouping,
    GroupLabel,
    Judgement,
    LlmBatch,
    LlmCall,
    Pin,
    Prediction,
    ScoreDetails,
    SelectedSample,
    SelectedScore,
    Selection,
    SelectionName,
    SelectionReport,
    SelectionScorer,
    Training,
    TrainingStep,
    VectorFile,
    Verdict,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

BACKUP = "restore a backup (`ig4 db backup` makes one)"
_ASK = "`ig4 db check --repair` deletes the whole of it; then {} makes it again"


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table whose rows have checksums.

    `owner` is the table whose rows `--repair` deletes, by the number in the column `key`, and
    what belongs to them with them; None where nothing is deleted.
    """

    model: type[Base]
    key: str
    remedy: str
    owner: type[Base] | None = None

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.model.__tablename__)


_PAID = f"{BACKUP}: these are requests and replies that were paid for, and are never deleted"
_CLUSTER, _SELECT = _ASK.format("`ig4 cluster`"), _ASK.format("`ig4 select`")
_GROUP = _ASK.format("`ig4 groups`, or what asks for them,")
_EVAL, _JUDGE = _ASK.format("`ig4 eval`"), _ASK.format("`ig4 judge` (paid replies are kept)")

SEALED = (
    SealedTable(LlmCall, "id", _PAID),
    SealedTable(LlmBatch, "id", _PAID),
    SealedTable(Component, "id", BACKUP),
    SealedTable(DatasetScorer, "dataset_id", BACKUP),
    SealedTable(DatasetSpace, "dataset_id", BACKUP),
    SealedTable(ScoreDetails, "content_id", f"{BACKUP}; no score depends on them"),
    SealedTable(Clustering, "id", _CLUSTER, Clustering),
    SealedTable(Grouping, "id", _GROUP, Grouping),
    SealedTable(Selection, "id", _SELECT, Selection),
    SealedTable(SelectionReport, "selection_id", _SELECT, Selection),
    SealedTable(SelectionName, "selection_id", "`ig4 selections rename` gives it a name again"),
    SealedTable(SelectionScorer, "selection_id", _SELECT, Selection),
    SealedTable(Pin, "sample_id", BACKUP),
    SealedTable(Training, "id", BACKUP),
    SealedTable(TrainingStep, "training_id", BACKUP),
    SealedTable(Evaluation, "id", _EVAL, Evaluation),
    SealedTable(Prediction, "evaluation_id", _EVAL, Evaluation),
    SealedTable(Judgement, "id", _JUDGE, Judgement),
    SealedTable(Verdict, "judgement_id", _JUDGE, Judgement),
    SealedTable(AblationCell, "ablation_id", BACKUP),
    SealedTable(Checkup, "dataset_id", "`ig4 check` makes it anew"),
    SealedTable(VectorFile, "id", BACKUP),
)
"""Every table with checksums of whole rows; scores and embeddings have some of their own."""


@dataclass(frozen=True, slots=True)
class RowReport:
    """What was found in a table: how many rows were verified, are damaged, or have no checksum.

    `keys` are the distinct values of the table's key in damaged rows.
    """

    table: SealedTable
    name: str
    verified: int
    damaged: int
    bare: int
    keys: Sequence[int]


def check_rows(connection: Connection, table: SealedTable) -> RowReport:
    """Compare each row of a table with its checksum."""
    model, crc = table.model, table.model.__table__.c.crc
    statement = select(*expressions(connection, model), crc).execution_options(stream_results=True)
    verified = damaged = bare = 0
    keys: dict[int, None] = {}
    for row in connection.execute(statement).mappings():
        if row["crc"] is None:
            bare += 1
        elif is_sound(model, dict(row)):
            verified += 1
        else:
            damaged += 1
            keys[row[table.key]] = None
    return RowReport(table, table.name, verified, damaged, bare, list(keys))


def check_labels(connection: Connection) -> RowReport:
    """Compare the labels of each clustering with their checksum."""
    table = next(one for one in SEALED if one.model is Clustering)
    return _check_members(
        connection, table, "cluster_labels", Clustering.labels_crc, clusters.stored_checksum
    )


def check_groups(connection: Connection) -> RowReport:
    """Compare the groups of each grouping with their checksum."""
    table = next(one for one in SEALED if one.model is Grouping)
    return _check_members(
        connection, table, "group_labels", Grouping.labels_crc, groups.stored_checksum
    )


def check_selected(connection: Connection) -> RowReport:
    """Compare the samples of each selection with their checksum."""
    table = next(one for one in SEALED if one.model is Selection)
    return _check_members(
        connection, table, "selected_samples", Selection.samples_crc, selections.stored_checksum
    )


def check_selected_scores(connection: Connection) -> RowReport:
    """Compare the scores that the samples of each selection were selected by with a checksum."""
    table = next(one for one in SEALED if one.model is Selection)
    verified = damaged = 0
    keys: dict[int, None] = {}
    known = SelectionScorer.__table__.c
    rows = connection.execute(
        select(known.selection_id, known.position, known.values_crc, _count_of_scores())
    ).all()
    for selection, position, crc, count in rows:

        def stored(connection: Connection, key: int, position: int = position) -> int:
            return selectedscores.stored_checksum(connection, key, position)

        if _is_what_was_stored(connection, selection, crc, stored):
            verified += count
        else:
            damaged += count
            keys[selection] = None
    return RowReport(table, "selected_scores", verified, damaged, 0, list(keys))


def _count_of_scores() -> Any:
    mine = (
        SelectedScore.selection_id == SelectionScorer.selection_id,
        SelectedScore.position == SelectionScorer.position,
    )
    count = select(func.count()).select_from(SelectedScore).where(*mine)
    return count.correlate(SelectionScorer).scalar_subquery()


def _check_members(
    connection: Connection,
    table: SealedTable,
    name: str,
    column: Any,
    checksum: Callable[[Connection, int], int],
) -> RowReport:
    owner: Any = table.model
    verified = damaged = bare = 0
    keys = []
    for key, crc, count in connection.execute(select(owner.id, column, _size(owner))).all():
        if crc is None:
            bare += count
        elif _is_what_was_stored(connection, key, crc, checksum):
            verified += count
        else:
            damaged += count
            keys.append(key)
    return RowReport(table, name, verified, damaged, bare, keys)


def _size(owner: Any) -> Any:
    if owner is Selection:
        count = select(func.count()).where(SelectedSample.selection_id == Selection.id)
        return count.correlate(Selection).scalar_subquery()
    if owner is Grouping:
        count = select(func.count()).where(GroupLabel.grouping_id == Grouping.id)
        return count.correlate(Grouping).scalar_subquery()
    count = select(func.count()).where(ClusterLabel.clustering_id == Clustering.id)
    return count.correlate(Clustering).scalar_subquery()


def _is_what_was_stored(
    connection: Connection, key: int, crc: int, checksum: Callable[[Connection, int], int]
) -> bool:
    try:
        return checksum(connection, key) == crc
    except (TypeError, ValueError, ArithmeticError):  # the bytes became another type
        return False


def check_all(connection: Connection) -> Iterator[tuple[str, Callable[[], RowReport]]]:
    """Yield the name of each table with checksums, and what checks it."""
    for table in SEALED:
        yield table.name, lambda table=table: check_rows(connection, table)  # type: ignore[misc]
    yield "cluster_labels", lambda: check_labels(connection)
    yield "group_labels", lambda: check_groups(connection)
    yield "selected_samples", lambda: check_selected(connection)
    yield "selected_scores", lambda: check_selected_scores(connection)
