"""What an export writes beside each record: scores, percents, rank, cluster, final score, group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.pooling.poolgroups import pool_groups
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.errors import UsageError
from ig4.core.records import JSON, Choice
from ig4.core.suggest import did_you_mean
from ig4.storage import clusters, samples, scorecolumns, scores, selectedscores, selections

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import SelectionItem, SelectionRow

WITH = ("scores", "cluster", "rank", "percents", "final", "group")
"""What can be written beside each record."""

OF_SELECTION = ("rank", "percents", "final")
"""What a sample has in a selection alone."""


def check_extras(wanted: Sequence[str], selection_id: int | None) -> None:
    """Refuse what is not known, or what all samples of a data set do not have.

    Raises:
        UsageError: names it.
    """
    for name in wanted:
        if name not in WITH:
            raise UsageError(
                f"--with {name}: there is no such thing to write beside a record"
                f"{did_you_mean(name, WITH)} (there are: {', '.join(WITH)})"
            )
    alone = [name for name in wanted if name in OF_SELECTION]
    if alone and selection_id is None:
        raise UsageError(
            f"--with {','.join(alone)} is of a selection, and all samples are exported: name a "
            "selection, or leave it away"
        )


@dataclass(frozen=True, slots=True)
class ExportExtras:
    """The extras of samples: `rows` has the place of each sample id in every list of values."""

    rows: Mapping[int, int]
    scores: Mapping[str, Sequence[float | None]] | None = None
    percents: Mapping[str, Sequence[float | None]] | None = None
    plain: Mapping[str, Sequence[Any]] | None = None

    def of(self, sample_id: int) -> dict[str, JSON]:
        """Return the extras of a sample, JSON-able."""
        row = self.rows[sample_id]
        found: dict[str, JSON] = {}
        for name in ("scores", "percents"):
            values = getattr(self, name)
            if values is not None:
                found[name] = {scorer: column[row] for scorer, column in values.items()}
        return {**{name: column[row] for name, column in (self.plain or {}).items()}, **found}


def export_extras(
    session: Session, dataset: DatasetRow, selection_id: int | None, wanted: Sequence[str]
) -> ExportExtras | None:
    """Return what is to be written beside the records of a selection, or of all samples.

    Scores that counted are those that the samples were selected by; others are of today, as all
    are where no selection is exported.

    Raises:
        UsageError: it is not known, or not there; names the command that makes it.
    """
    check_extras(wanted, selection_id)
    if not wanted:
        return None
    with session.store.reading() as connection:
        if selection_id is None:
            ids, contents = samples.ordered_ids(connection, dataset.id)
            return _of_all(session, connection, dataset, ids, contents, wanted)
        selection = selections.find(connection, selection_id)
        assert selection is not None
        items = selections.samples(connection, selection_id)
        return _of_selection(session, connection, dataset, selection, items, wanted)


def _of_all(
    session: Session,
    connection: Connection,
    dataset: DatasetRow,
    ids: NDArray[np.int64],
    contents: NDArray[np.int64],
    wanted: Sequence[str],
) -> ExportExtras:
    plain: dict[str, Sequence[Any]] = {}
    if "cluster" in wanted:
        plain["cluster"] = _clusters(connection, dataset, ids)
    if "group" in wanted:
        plain["group"] = _groups(session, dataset, "auto", {}, ids, contents)
    columns = _columns(connection, dataset, contents) if "scores" in wanted else None
    return ExportExtras(_places(ids), columns, None, plain)


def _of_selection(
    session: Session,
    connection: Connection,
    dataset: DatasetRow,
    selection: SelectionRow,
    items: Sequence[SelectionItem],
    wanted: Sequence[str],
) -> ExportExtras:
    ids = np.array([one.sample_id for one in items], dtype=np.int64)
    contents = np.array([one.content_id for one in items], dtype=np.int64)
    counted = selectedscores.read(connection, selection.id)
    if "percents" in wanted and not counted and selection.config.get("weights"):
        raise UsageError(
            f"selection {selection.id} was made by an ig4 that kept no percents: select again to "
            "export them"
        )
    plain: dict[str, Sequence[Any]] = {}
    if "rank" in wanted:
        plain["rank"] = [one.rank for one in items]
    if "cluster" in wanted:
        own = selection.clustering_id is not None
        plain["cluster"] = (
            [one.cluster for one in items] if own else _clusters(connection, dataset, ids)
        )
    if "final" in wanted:
        plain["final"] = [one.final_score for one in items]
    if "group" in wanted:
        _, report = selections.report(connection, selection.id)
        grouper = dict(report.get("grouper") or {"use": "auto"})
        grouper.pop("digest", None)
        use = str(grouper.pop("use"))
        plain["group"] = _groups(session, dataset, use, grouper, ids, contents)
    values = None
    if "scores" in wanted:
        then = {one.name: list(one.values) for one in counted}
        values = {**_columns(connection, dataset, contents), **then}
    percents = {one.name: list(one.percents) for one in counted} if "percents" in wanted else None
    return ExportExtras(_places(ids), values, percents, plain)


def _places(ids: NDArray[np.int64]) -> dict[int, int]:
    return {number: place for place, number in enumerate(ids.tolist())}


def _columns(
    connection: Connection, dataset: DatasetRow, contents: NDArray[np.int64]
) -> dict[str, Sequence[float | None]]:
    """Return the scores (n,) of contents by column, as far as a data set has any."""
    rows = scorecolumns.list_all(connection, dataset.id)
    if not rows:
        raise UsageError(
            f"{dataset.name} has no scores to write beside its records: run `ig4 score` or `ig4 "
            "import-scores` first"
        )
    return {row.name: _plain(scores.values(connection, row.component_id, contents)) for row in rows}


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]


def _clusters(
    connection: Connection, dataset: DatasetRow, ids: NDArray[np.int64]
) -> list[int | None]:
    """Return the cluster of each sample in the newest clustering, None where it has none."""
    found = clusters.find(connection, dataset.id)
    if found is None:
        raise UsageError(
            f"{dataset.name} has no clusters to write beside its records: run `ig4 cluster` or "
            "`ig4 import-clusters` first, or leave cluster away"
        )
    labels = clusters.labels(connection, found.id, ids)
    return [None if label < 0 else label for label in labels.tolist()]


def _groups(
    session: Session,
    dataset: DatasetRow,
    use: str,
    options: Mapping[str, Any],
    ids: NDArray[np.int64],
    contents: NDArray[np.int64],
) -> list[str | None]:
    """Return the name of the group of each sample, None where it has none."""
    settings = PoolSettings(groupers={use: Choice("grouper", use, options)})
    made = pool_groups(session, dataset, settings, use, ids, contents).groups
    return [None if label < 0 else made.names[label] for label in made.labels.tolist()]
