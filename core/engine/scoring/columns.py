"""The columns of scores that a data set has: where they come from; dropping and renaming them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ig4.core.engine.pooling.staleness import stale_columns
from ig4.core.engine.scoring.failures import count_failures
from ig4.core.engine.scoring.outputs import outputs_of, scorer_of
from ig4.core.engine.scoring.plan import check_label
from ig4.core.errors import UsageError
from ig4.core.host.recording import RecordedOptions, non_default
from ig4.core.suggest import did_you_mean
from ig4.storage import datasets, scorecolumns

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow


@dataclass(frozen=True, slots=True)
class ScoreColumnSummary:
    """A column of scores: how many samples have a value, failed, or have neither; and its origin.

    `minimum`, `mean` and `maximum` are of the raw values, in the scorer's own unit. `origin` has
    component, version and options (those that differ from the defaults, where they are known, else
    what the results depend on) of computed scores; path, column, units and scale of imported ones.
    `runs` gave the values, the newest at `created_at` (UTC). `output_of` names the column that it
    is an output of, `outputs` the columns that are outputs of it. `stale` ones are of a pool that
    has changed since. Samples `without_image` are none of the failures of a scorer of images.
    """

    name: str
    imported: bool
    values: int
    failures: int
    missing: int
    minimum: float | None
    mean: float | None
    maximum: float | None
    origin: dict[str, Any]
    fingerprint: str
    runs: list[int]
    created_at: datetime | None
    output_of: str | None = None
    outputs: list[str] = field(default_factory=list)
    stale: bool = False
    without_image: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        when = None if self.created_at is None else self.created_at.isoformat()
        return asdict(self) | {"created_at": when}


@dataclass(frozen=True, slots=True)
class DropResult:
    """What dropping a column and its `outputs` deleted; `replies` of services remain."""

    name: str
    deleted: int
    replies: int
    outputs: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def list_columns(
    session: Session, dataset: DatasetRow, settings: PoolSettings | None = None
) -> list[ScoreColumnSummary]:
    """Return the columns of a data set, by name, and say which of them are stale."""
    with session.store.reading() as connection:
        total = datasets.count_samples(connection, dataset.id)
        rows = scorecolumns.list_all(connection, dataset.id)
        found = [_summary(session, connection, dataset, row, rows, total) for row in rows]
    stale = stale_columns(session, dataset, rows, settings)
    for text in stale.values():
        session.notice(text)
    return [replace(one, stale=one.name in stale) for one in found]


def find_column(session: Session, dataset: DatasetRow, name: str) -> ScoreColumnSummary:
    """Return a column of a data set by its name.

    Raises:
        UsageError: there is none of that name.
    """
    row, rows = _row(session, dataset, name)
    with session.store.reading() as connection:
        total = datasets.count_samples(connection, dataset.id)
        return _summary(session, connection, dataset, row, rows, total)


def drop_column(session: Session, dataset: DatasetRow, name: str) -> DropResult:
    """Remove a column of a data set and its values, unless another column has them too.

    The outputs of its scorer go with it.

    Raises:
        UsageError: there is none of that name, or it is an output of another.
    """
    row, outputs = _with_outputs(session, dataset, name, "drop")
    with session.recorded("scores drop", {"dataset": dataset.name, "name": name}):
        session.attach(dataset.id)
        with session.store.writing() as connection:
            deleted = sum(scorecolumns.drop(connection, dataset.id, one) for one in (row, *outputs))
            replies = scorecolumns.count_paid(connection, row.component_id)
    return DropResult(name, deleted, replies, [one.name for one in outputs])


def rename_column(session: Session, dataset: DatasetRow, old: str, new: str) -> None:
    """Give a column of a data set another name; the outputs of its scorer follow.

    Raises:
        UsageError: there is none of that name, it is an output of another, or the new one is taken
            or cannot be used.
    """
    new = new.strip()
    if not new:
        raise UsageError("a scorer needs a name that is not empty")
    check_label(new)
    _, outputs = _with_outputs(session, dataset, old, "rename")
    names = {old: new} | {one.name: new + one.name[len(old) :] for one in outputs}
    with session.store.reading() as connection:
        taken = scorecolumns.names_taken(connection, dataset.id)
    for name in names.values():
        if name in taken:
            raise UsageError(
                f"{dataset.name} has scores called {name} already: drop or rename them first"
            )
    with session.recorded("scores rename", {"dataset": dataset.name, "old": old, "new": new}):
        session.attach(dataset.id)
        with session.store.writing() as connection:
            for before, after in names.items():
                scorecolumns.rename(connection, dataset.id, before, after)


def _with_outputs(
    session: Session, dataset: DatasetRow, name: str, verb: str
) -> tuple[ScoreColumnRow, list[ScoreColumnRow]]:
    """Return a column and those of its outputs.

    Raises:
        UsageError: there is none of that name, or it is an output itself.
    """
    row, rows = _row(session, dataset, name)
    scorer = scorer_of(row, rows)
    if scorer is not None:
        raise UsageError(
            f"{name} is an output of {scorer.name}, and shares its fate: {verb} {scorer.name}"
        )
    return row, outputs_of(row, rows)


def _row(
    session: Session, dataset: DatasetRow, name: str
) -> tuple[ScoreColumnRow, list[ScoreColumnRow]]:
    """Return the column of a name, and all columns."""
    with session.store.reading() as connection:
        rows = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    if name not in rows:
        known = f" (there are: {', '.join(rows)})" if rows else ""
        raise UsageError(
            f"{dataset.name} has no scores called {name!r}{did_you_mean(name, rows)}{known}"
        )
    return rows[name], list(rows.values())


def _summary(
    session: Session,
    connection: Connection,
    dataset: DatasetRow,
    row: ScoreColumnRow,
    rows: Sequence[ScoreColumnRow],
    total: int,
) -> ScoreColumnSummary:
    scorer = scorer_of(row, rows)
    counts = scorecolumns.counts(connection, dataset.id, row.component_id)
    runs = scorecolumns.runs(connection, dataset.id, row.component_id)
    failed = count_failures(connection, dataset.id, row.component_id)
    return ScoreColumnSummary(
        name=row.name,
        imported=row.imported,
        values=counts.values,
        failures=failed.failed,
        without_image=failed.without_image,
        missing=total - counts.values - counts.failures,
        minimum=counts.minimum,
        mean=counts.mean,
        maximum=counts.maximum,
        origin=_origin(session, row, runs[-1].config if runs else {}),
        fingerprint=row.fingerprint,
        runs=[run.run_id for run in runs],
        created_at=runs[-1].started_at if runs else None,
        output_of=None if scorer is None else scorer.name,
        outputs=[one.name for one in outputs_of(row, rows)],
    )


def _origin(session: Session, row: ScoreColumnRow, config: Mapping[str, Any]) -> dict[str, Any]:
    if row.imported:
        kept = ("column", "id", "multiply", "scale_of", "decimal", "scale_options", "file")
        told = {key: row.identity[key] for key in kept if row.identity.get(key) is not None}
        return {"path": config.get("path"), **told}
    use = f"{row.distribution}/{row.component}"
    recorded = RecordedOptions.from_dict(row.options)
    if recorded is None:
        options = dict(row.identity)
    else:
        options = non_default(session.host, "scorer", use, recorded.values)
    return {"component": use, "version": row.version, "options": options}
