"""Scores and clusters that people have already: they count as any scorer's or clusterer's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.counts import counted, nouns, verb
from ig4.core.engine.ingesting.matching import (
    MatchedIds,
    describe_mismatch,
    match_ids,
    shown_id,
    shown_ids,
)
from ig4.core.engine.ingesting.scorefile import STAGE, FileColumn, ScoreColumn, read_column
from ig4.core.engine.scoring.outputs import bound_outputs, scorer_of
from ig4.core.engine.scoring.plan import check_label
from ig4.core.engine.selecting.candidates import NO_CLUSTERS
from ig4.core.engine.selecting.percent import IMPORTED, named_scale
from ig4.core.engine.selecting.scaling import PAPER_SCALES
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageFinished, StageStarted
from ig4.core.files.opening import open_file
from ig4.core.files.reading import tables
from ig4.core.files.reading.encodings import unreadable_error
from ig4.core.host.fingerprint import Fingerprint, digest_of
from ig4.core.records import Kind
from ig4.core.texts import sanitize
from ig4.storage import clusters, samples, scorecolumns, scores

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

__all__ = ["ImportResult", "ScoreColumn", "import_clusters", "import_scores"]


@dataclass(slots=True)
class ImportResult:
    """What an import brought: rows taken, and rows that fit no sample or hold no number.

    `unknown` are the ids that no sample has. Of the rows without a number, `empty` hold nothing,
    `not_finite` NaN or infinity, and `unreadable` something else (as id and cell). `zeros` are the
    vectors taken that hold nothing but zeros; `shared` samples have none of their own in the file,
    but that of a sample with the same texts and images.
    """

    dataset: str
    name: str
    taken: int = 0
    unknown: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    empty: int = 0
    not_finite: int = 0
    zeros: int = 0
    shared: int = 0
    without: int = 0
    id_column: str = ""


def import_scores(session: Session, dataset: DatasetRow, column: ScoreColumn) -> ImportResult:
    """Store a file's scores under a scorer's plain name for the samples of a data set.

    The percent scale is that of `scale_of`, else of the scorer whose name it takes if the
    paper or a plugin knows one, else the values are taken as percents. The file is read to its
    end, and nothing is stored unless all of it is understood.

    Raises:
        UsageError: no such column, an unknown scale, no row fits a sample, an id is repeated and
            not as often in the data set, or the scores would replace others.
        DatasetError: the file cannot be read, or a number in it could be two.
    """
    check_label(column.name)
    if not math.isfinite(column.multiply):
        raise UsageError(f"--multiply {column.multiply}: give a number")
    identity = _identity(session, dataset, column)
    fingerprint = _fingerprint("scorer", column.name, identity)
    _check_replaced(session, dataset, column, fingerprint.value)
    config = identity | {"path": str(column.path.absolute()), "name": column.name}
    with session.recorded("import-scores", config):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None, "rows"))
        read = read_column(session, column)
        for note in read.numbers.notes:
            session.notice(f"{column.where}: {note}")
        found = ImportResult(
            dataset.name,
            column.name,
            unreadable=read.unreadable,
            empty=len(read.numbers.empty),
            not_finite=len(read.numbers.not_finite),
            id_column=read.id_column,
        )
        rows = _matched_rows(session, dataset, column, read, found)
        _tell_differing(session, column, rows)
        component = session.component_id(fingerprint)
        with session.store.writing() as connection:
            stored = ((content, value, None, None) for content, value in rows)
            scores.put(connection, component, session.run_id, stored)
            # Outputs of a scorer whose name it takes are nobody's now.
            unbound = bound_outputs(connection, dataset.id, column.name)
            bound = {column.name: component}
            scores.bind_all(connection, dataset.id, bound, imported=True, unbound=unbound)
            scores.bind_members(connection, dataset.id, bound, imported=True)
            ids, _ = samples.ordered_ids(connection, dataset.id)
        found.taken = len(rows)
        found.without = max(0, len(ids) - found.taken)
        session.emit(StageFinished(STAGE, f"{counted(found.taken, 'score')} as {column.name}"))
        return found


def import_clusters(
    session: Session,
    dataset: DatasetRow,
    path: Path,
    name: str,
    *,
    encoding: str = "utf-8",
    replace: bool = False,
    **columns: Any,
) -> ImportResult:
    """Store a file's clusters (label -> ids, or a table of id and label) as a clustering.

    Labels that are whole numbers keep their number; others are numbered in sorted order. With
    `replace`, the name may stand for other clusters until now.

    Raises:
        UsageError: no row fits a sample, an id is repeated and not as often in the data set, or
            the clusters would replace others.
        DatasetError: the file cannot be read, or it puts one sample into two clusters.
    """
    if name == NO_CLUSTERS:
        raise UsageError("clusters cannot be called none: that stands for no clusters")
    identity = {"file": session.digest(_existing(path)), "dataset": dataset.name, **columns}
    fingerprint = _fingerprint("clusterer", name, identity)
    if not replace:
        _check_clusters_replaced(session, dataset, name, fingerprint.value)
    config = identity | {"path": str(path.absolute()), "name": name}
    with session.recorded("import-clusters", config):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None, "rows"))
        pairs = _pairs(
            session, dataset, path, tables.read_clusters(path, encoding=encoding, **columns)
        )
        number = _numbered(label for _, label in pairs)
        labels, unknown = _labels(session, dataset, path, pairs)
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
                samples=np.array(list(labels), dtype=np.int64),
                labels=np.array([number[label] for label in labels.values()], dtype=np.int64),
            )
            ids, _ = samples.ordered_ids(connection, dataset.id)
        found = ImportResult(
            dataset.name,
            name,
            taken=len(labels),
            unknown=unknown,
            without=len(ids) - len(labels),
        )
        session.emit(StageFinished(STAGE, f"{counted(found.taken, 'label')} as {name}"))
        return found


def _existing(path: Path) -> Path:
    """Return a path if it is a file that can be read.

    Raises:
        DatasetError: it is none; says what it is.
    """
    try:
        open_file(path).close()
    except OSError as error:
        raise unreadable_error(path, error) from None
    return path


def _identity(session: Session, dataset: DatasetRow, column: ScoreColumn) -> dict[str, Any]:
    """Return what imported scores depend on.

    What an earlier ig4 did not know is left out where it is not used, so that a file that was
    imported by it is the same file still.
    """
    identity: dict[str, Any] = {
        "file": session.digest(_existing(column.path)),
        "column": column.column,
        "id": column.id_column,
        "multiply": column.multiply,
        "scale_of": _scale_of(session, column),
        "dataset": dataset.name,
    }
    if column.decimal is not None:
        identity["decimal"] = column.decimal
    if column.scale_options:
        identity["scale_options"] = dict(column.scale_options)
    return identity


def _scale_of(session: Session, column: ScoreColumn) -> str | None:
    if column.scale_of is not None:
        named_scale(session.host, column.scale_of, column.scale_options)
        return column.scale_of
    if column.scale_options:
        raise UsageError("options of a percent scale need the scorer that has it: --scale-of NAME")
    known = {r.component.name for r in session.host.components("scorer")} | set(PAPER_SCALES)
    return column.name if column.name in known else None


def _fingerprint(kind: Kind, name: str, identity: Mapping[str, Any]) -> Fingerprint:
    value = digest_of([kind, name, IMPORTED, identity])
    return Fingerprint(kind, name, IMPORTED, "1", dict(identity), value)


def _check_replaced(
    session: Session, dataset: DatasetRow, column: ScoreColumn, fingerprint: str
) -> None:
    """Refuse to take the place of other scores unless that is asked for.

    Raises:
        UsageError: the name stands for other scores in the data set.
    """
    with session.store.reading() as connection:
        rows = scorecolumns.list_all(connection, dataset.id)
        row = next((row for row in rows if row.name == column.name), None)
        scorer = None if row is None else scorer_of(row, rows)
        if scorer is not None:
            raise UsageError(
                f"{column.name} is an output of {scorer.name} in {dataset.name}: choose another "
                "name (--as NAME)"
            )
        if row is None or row.fingerprint == fingerprint or column.replace:
            return
        count = scorecolumns.counts(connection, dataset.id, row.component_id).values
        runs = scorecolumns.runs(connection, dataset.id, row.component_id)
    if not count:
        return
    kind = f"computed by {row.distribution}/{row.component}"
    if row.imported:
        kind = f"imported from {(runs[-1].config.get('path') if runs else None) or 'another file'}"
    raise UsageError(
        f"{dataset.name} has {count:,} {column.name} {nouns(count, 'score')} already, {kind}: "
        "--replace puts these in their place, --as NAME keeps both"
    )


def _check_clusters_replaced(
    session: Session, dataset: DatasetRow, name: str, fingerprint: str
) -> None:
    with session.store.reading() as connection:
        old = clusters.find(connection, dataset.id, name=name)
        same = clusters.find(connection, dataset.id, inputs=fingerprint)
    if old is not None and same is None:
        kind = "imported" if old.imported else "computed"
        raise UsageError(
            f"{dataset.name} has {kind} clusters called {name} already: --replace puts these in "
            "their place, --as NAME keeps both"
        )


def _matched_rows(
    session: Session,
    dataset: DatasetRow,
    column: ScoreColumn,
    read: FileColumn,
    found: ImportResult,
) -> list[tuple[int, float]]:
    """Return (content id, score) of the rows that fit a sample; what does not is counted.

    Raises:
        UsageError: no row holds a number, or none fits a sample.
    """
    if not read.usable:
        first = f"; the first row without: {found.unreadable[0]}" if found.unreadable else ""
        raise UsageError(
            f"{column.where} holds no number with an id "
            f"({counted(found.empty, 'cell is', 'cells are')} empty, {found.not_finite:,} NaN or "
            f"infinite{first})"
        )
    ids = [read.ids[n] or "" for n in read.usable]
    matched = match_ids(session, dataset, ids, str(column.path))
    found.unknown = matched.unknown
    _tell_unknown(session, dataset, column, read, matched)
    rows = []
    for n, place in zip(read.usable, matched.places, strict=True):
        value = (read.numbers.values[n] or 0.0) * column.multiply
        if place is None:
            continue
        if math.isfinite(value):
            rows.append((place[1], value))
        else:
            found.not_finite += 1
    return rows


def _tell_unknown(
    session: Session,
    dataset: DatasetRow,
    column: ScoreColumn,
    read: FileColumn,
    matched: MatchedIds,
) -> None:
    """Tell how the ids of a file differ from the data set's, if at most half of them fit.

    Raises:
        UsageError: no id is that of a sample.
    """
    total = len(matched.places)
    fitting = sum(place is not None for place in matched.places)
    if 2 * fitting > total:
        return
    mismatch = describe_mismatch(session, dataset, matched.unknown, read.first)
    ids = f"({read.id_column}: {shown_ids(matched.unknown)})"
    if not fitting:
        raise UsageError(
            f"none of the ids in {column.path} {ids} is the id of a sample: {mismatch}"
        )
    session.notice(
        f"{total - fitting:,} of {counted(total, 'row')} of {column.path} "
        f"{verb(total - fitting, 'matches', 'match')} no sample {ids}: {mismatch}"
    )


def _tell_differing(
    session: Session, column: ScoreColumn, rows: Sequence[tuple[int, float]]
) -> None:
    """Tell of samples that say the same but have different scores: they can have only one."""
    given: dict[int, float] = {}
    differing = {content for content, value in rows if given.setdefault(content, value) != value}
    if differing:
        session.notice(
            "groups of samples with the same texts and images but different scores in "
            f"{column.path}: {len(differing):,}; all of a group take its last score"
        )


def _pairs(
    session: Session, dataset: DatasetRow, path: Path, rows: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Return (id, label) rows; one that is repeated as it is counts once.

    Ids that several records of the data set have keep their rows, which stand for these records.

    Raises:
        DatasetError: an id of one sample is in two clusters.
    """
    with session.store.reading() as connection:
        repeated = samples.numbered_ids(connection, dataset.id)
    pairs = [(sanitize(key), label) for key, label in rows]
    once: dict[str, str] = {}
    several = []
    for key, label in pairs:
        if key in repeated:
            several.append((key, label))
        elif once.setdefault(key, label) != label:
            raise DatasetError(
                f"{path} puts {shown_id(key)} into two clusters, {once[key]!r} and {label!r}"
            )
    return several + list(once.items())


def _labels(
    session: Session, dataset: DatasetRow, path: Path, pairs: Sequence[tuple[str, str]]
) -> tuple[dict[int, str], list[str]]:
    """Return the labels by sample id, and the ids of the file that no sample has.

    Raises:
        UsageError: no id is that of a sample.
    """
    matched = match_ids(session, dataset, [key for key, _ in pairs], str(path))
    labels = {
        place[0]: label
        for place, (_, label) in zip(matched.places, pairs, strict=True)
        if place is not None
    }
    if not labels:
        raise UsageError(
            f"none of the ids in {path} ({shown_ids(matched.unknown)}) is the id of a sample: "
            f"{describe_mismatch(session, dataset, matched.unknown, ())}"
        )
    return labels, matched.unknown


def _numbered(labels: Iterable[str]) -> dict[str, int]:
    distinct = sorted(set(labels))
    if all(label.isascii() and label.isdigit() for label in distinct):
        return {label: int(label) for label in distinct}
    return {label: number for number, label in enumerate(distinct)}
