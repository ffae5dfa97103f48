"""The columns of scores that a data set has: where they come from; dropping and renaming them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ig4.core.engine.scoring.plan import check_label
from ig4.core.errors import UsageError
from ig4.core.host.recording import RecordedOptions, non_default
from ig4.core.suggest import did_you_mean
from ig4.storage import datasets, scorecolumns

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow


@dataclass(frozen=True, slots=True)
class ScoreColumnSummary:
    """A column of scores: how many samples have a value, failed, or have neither; and its origin.

    `minimum`, `mean` and `maximum` are of the raw values, in the scorer's own unit. `origin` has
    component, version and options (those that differ from the defaults, where they are known, else
    what the results depend on) of computed scores; path, column, units and scale of imported ones.
    `runs` gave the values, the newest at `created_at` (UTC).
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

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        when = None if self.created_at is None else self.created_at.isoformat()
        return asdict(self) | {"created_at": when}


@dataclass(frozen=True, slots=True)
class DropResult:
    """What dropping a column deleted; `replies` of services remain in the ledger."""

    name: str
    deleted: int
    replies: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def list_columns(session: Session, dataset: DatasetRow) -> list[ScoreColumnSummary]:
    """Return the columns of a data set, by name."""
    with session.store.reading() as connection:
        total = datasets.count_samples(connection, dataset.id)
        rows = scorecolumns.list_all(connection, dataset.id)
        return [_summary(session, connection, dataset, row, total) for row in rows]


def find_column(session: Session, dataset: DatasetRow, name: str) -> ScoreColumnSummary:
    """Return a column of a data set by its name.

    Raises:
        UsageError: there is none of that name.
    """
    row = _row(session, dataset, name)
    with session.store.reading() as connection:
        total = datasets.count_samples(connection, dataset.id)
        return _summary(session, connection, dataset, row, total)


def drop_column(session: Session, dataset: DatasetRow, name: str) -> DropResult:
    """Remove a column of a data set and its values, unless another column has them too.

    Raises:
        UsageError: there is none of that name.
    """
    row = _row(session, dataset, name)
    with session.recorded("scores drop", {"dataset": dataset.name, "name": name}):
        session.attach(dataset.id)
        with session.store.writing() as connection:
            deleted = scorecolumns.drop(connection, dataset.id, row)
            replies = scorecolumns.count_paid(connection, row.component_id)
    return DropResult(name, deleted, replies)


def rename_column(session: Session, dataset: DatasetRow, old: str, new: str) -> None:
    """Give a column of a data set another name.

    Raises:
        UsageError: there is none of that name, or the new one is taken or cannot be used.
    """
    new = new.strip()
    if not new:
        raise UsageError("a scorer needs a name that is not empty")
    check_label(new)
    _row(session, dataset, old)
    with session.store.reading() as connection:
        taken = {row.name for row in scorecolumns.list_all(connection, dataset.id)}
    if new in taken:
        raise UsageError(
            f"{dataset.name} has scores called {new} already: drop or rename them first"
        )
    with session.recorded("scores rename", {"dataset": dataset.name, "old": old, "new": new}):
        session.attach(dataset.id)
        with session.store.writing() as connection:
            scorecolumns.rename(connection, dataset.id, old, new)


def _row(session: Session, dataset: DatasetRow, name: str) -> ScoreColumnRow:
    with session.store.reading() as connection:
        rows = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    if name not in rows:
        known = f" (there are: {', '.join(rows)})" if rows else ""
        raise UsageError(
            f"{dataset.name} has no scores called {name!r}{did_you_mean(name, rows)}{known}"
        )
    return rows[name]


def _summary(
    session: Session, connection: Connection, dataset: DatasetRow, row: ScoreColumnRow, total: int
) -> ScoreColumnSummary:
    counts = scorecolumns.counts(connection, dataset.id, row.component_id)
    runs = scorecolumns.runs(connection, dataset.id, row.component_id)
    return ScoreColumnSummary(
        name=row.name,
        imported=row.imported,
        values=counts.values,
        failures=counts.failures,
        missing=total - counts.values - counts.failures,
        minimum=counts.minimum,
        mean=counts.mean,
        maximum=counts.maximum,
        origin=_origin(session, row, runs[-1].config if runs else {}),
        fingerprint=row.fingerprint,
        runs=[run.run_id for run in runs],
        created_at=runs[-1].started_at if runs else None,
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
