"""Scores and clusters that people have already: they count as any scorer's or clusterer's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.chunks import chunks
from ig4.core.engine.scoring.plan import check_label
from ig4.core.engine.selecting.percent import IMPORTED, named_scale
from ig4.core.engine.selecting.scaling import PAPER_SCALES
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files import tables
from ig4.core.host.fingerprint import Fingerprint, digest_of
from ig4.core.records import Kind
from ig4.storage import clusters, samples, scores

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

STAGE = "import"
BATCH = 5000


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """A column of scores in a file: which one, whose ids, in which units, on whose scale."""

    path: Path
    name: str
    column: str
    id_column: str | None = None
    key: str | None = None
    encoding: str = "utf-8"
    scale_of: str | None = None
    multiply: float = 1.0


@dataclass(slots=True)
class ImportResult:
    """What an import brought: rows taken, and rows that fit no sample or hold no number."""

    dataset: str
    name: str
    taken: int = 0
    unknown: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    without: int = 0
    id_column: str = ""


def import_scores(session: Session, dataset: DatasetRow, column: ScoreColumn) -> ImportResult:
    """Store a file's scores under a scorer's plain name for the samples of a data set.

    The percent scale is that of `scale_of`, else of the scorer whose name it takes if the
    paper or a plugin knows one, else the values are taken as percents.

    Raises:
        UsageError: no such column, an unknown scale, or no row fits a sample.
        DatasetError: the file cannot be read.
    """
    check_label(column.name)
    scale_of = _scale_of(session, column)
    identity = {
        "file": session.digest(_existing(column.path)),
        "column": column.column,
        "id": column.id_column,
        "multiply": column.multiply,
        "scale_of": scale_of,
        "dataset": dataset.name,
    }
    config = identity | {"path": str(column.path), "name": column.name}
    with session.recorded("import-scores", config):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None, "rows"))
        component = session.component_id(_fingerprint("scorer", column.name, identity))
        found = ImportResult(dataset.name, column.name)
        with session.store.reading() as connection:
            ids, contents = samples.ordered_ids(connection, dataset.id)
        alike, counts = np.unique(contents, return_counts=True)
        given: dict[int, set[float]] = {content: set() for content in alike[counts > 1].tolist()}
        rows = tables.read_rows(column.path, encoding=column.encoding, key=column.key)
        for batch in chunks(rows, BATCH):
            _store_scores(session, dataset, column, component, batch, found, given)
        if not found.taken:
            raise UsageError(
                f"none of the ids in {column.path} ({found.id_column}: "
                f"{', '.join(found.unknown[:3])}, …) is the id of a sample of {dataset.name}"
            )
        with session.store.writing() as connection:
            scores.bind(connection, dataset.id, column.name, component, imported=True)
        differing = sum(len(values) > 1 for values in given.values())
        if differing:
            session.notice(
                "groups of samples with the same texts and images but different scores in "
                f"{column.path}: {differing:,}; all of a group take its last score"
            )
        found.without = max(0, len(ids) - found.taken)
        session.emit(StageFinished(STAGE, f"{found.taken:,} scores as {column.name}"))
        return found


def import_clusters(
    session: Session,
    dataset: DatasetRow,
    path: Path,
    name: str,
    *,
    encoding: str = "utf-8",
    **columns: Any,
) -> ImportResult:
    """Store a file's clusters (label -> ids, or a table of id and label) as a clustering.

    Labels that are whole numbers keep their number; others are numbered in sorted order.

    Raises:
        UsageError: no row fits a sample.
        DatasetError: the file cannot be read, or it puts one sample into two clusters.
    """
    identity = {"file": session.digest(_existing(path)), "dataset": dataset.name, **columns}
    config = identity | {"path": str(path), "name": name}
    with session.recorded("import-clusters", config):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None, "rows"))
        pairs = _pairs(tables.read_clusters(path, encoding=encoding, **columns), path)
        found = ImportResult(dataset.name, name)
        with session.store.reading() as connection:
            known = samples.find_ids(connection, dataset.id, list(pairs))
            ids, _ = samples.ordered_ids(connection, dataset.id)
        found.unknown = [key for key in pairs if key not in known]
        found.taken = len(known)
        found.without = len(ids) - len(known)
        if not known:
            raise UsageError(f"none of the ids in {path} is the id of a sample of {dataset.name}")
        number = _numbered(pairs.values())
        fingerprint = _fingerprint("clusterer", name, identity)
        component = session.component_id(fingerprint)
        with session.store.writing() as connection:
            clusters.put(
                connection,
                dataset_id=dataset.id,
                name=name,
                component_id=component,
                inputs=fingerprint.value,
                k=len(set(number.values())),
                seed=None,
                imported=True,
                run_id=session.run_id,
                samples=np.array([known[key][0] for key in known], dtype=np.int64),
                labels=np.array([number[pairs[key]] for key in known], dtype=np.int64),
            )
        session.emit(StageFinished(STAGE, f"{found.taken:,} labels as {name}"))
        return found


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DatasetError(f"there is no file {path}")
    return path


def _scale_of(session: Session, column: ScoreColumn) -> str | None:
    if column.scale_of is not None:
        named_scale(session.host, column.scale_of)
        return column.scale_of
    known = {r.component.name for r in session.host.components("scorer")} | set(PAPER_SCALES)
    return column.name if column.name in known else None


def _fingerprint(kind: Kind, name: str, identity: Mapping[str, Any]) -> Fingerprint:
    value = digest_of([kind, name, IMPORTED, identity])
    return Fingerprint(kind, name, IMPORTED, "1", dict(identity), value)


def _store_scores(
    session: Session,
    dataset: DatasetRow,
    column: ScoreColumn,
    component: int,
    batch: list[dict[str, Any]],
    found: ImportResult,
    given: Mapping[int, set[float]],
) -> None:
    """Store a batch of rows; `given` gathers the scores of contents that several samples have."""
    values: dict[str, float] = {}
    if not found.id_column:
        first = batch[0]
        tables.column_named(column.path, first, column.column, (), "scores")
        found.id_column = tables.column_named(
            column.path, first, column.id_column, tables.ID_COLUMNS, "ids"
        )
    for row in batch:
        key = tables.text_id(row.get(found.id_column))
        value = _number(row.get(column.column))
        if key is None or value is None:
            found.unreadable.append(str(key))
        else:
            values[key] = value * column.multiply
    with session.store.writing() as connection:
        known = samples.find_ids(connection, dataset.id, list(values))
        rows = [(known[key][1], values[key], None, None) for key in known]
        scores.put(connection, component, session.run_id, rows)
    for content, value, *_ in rows:
        if content in given:
            given[content].add(value)
    found.taken += len(known)
    found.unknown += [key for key in values if key not in known]
    session.emit(StageAdvanced(STAGE, len(batch)))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _pairs(rows: Iterable[tuple[str, str]], path: Path) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for key, label in rows:
        if pairs.setdefault(key, label) != label:
            raise DatasetError(
                f"{path} puts {key!r} into two clusters, {pairs[key]!r} and {label!r}"
            )
    return pairs


def _numbered(labels: Iterable[str]) -> dict[str, int]:
    distinct = sorted(set(labels))
    if all(label.isascii() and label.isdigit() for label in distinct):
        return {label: int(label) for label in distinct}
    return {label: number for number, label in enumerate(distinct)}
