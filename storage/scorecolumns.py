"""Statements on the columns of scores that a data set has: origin, counts, dropping, renaming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, update

from ig4.storage.calls import DONE, UNREADABLE
from ig4.storage.integrity.seals import are_sound, seal
from ig4.storage.membership import among, known_names, members, of_dataset, owners
from ig4.storage.schema import (
    Checkup,
    Component,
    DatasetScorer,
    LlmCall,
    Run,
    Sample,
    Score,
    ScoreDetails,
)
from ig4.storage.views import refresh_scores_wide

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class ScoreColumnRow:
    """A scorer's plain name in a data set, with the component that it stands for.

    `options` are all that the component was made with, None where that was not recorded;
    `identity` is what its results depend on (of imported scores: file, column, units, scale).
    """

    name: str
    component_id: int
    imported: bool
    options: Mapping[str, Any] | None
    component: str
    distribution: str
    version: str
    identity: Mapping[str, Any]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ScoreCounts:
    """How many samples have a value, or an error in its place; least, mean and greatest value."""

    values: int
    failures: int
    minimum: float | None
    mean: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True)
class ScoreRunRow:
    """A run that gave a column values, and how many."""

    run_id: int
    command: str
    started_at: datetime
    config: Mapping[str, Any]
    count: int


def list_all(connection: Connection, dataset_id: int) -> list[ScoreColumnRow]:
    """Return the columns of a data set, by name.

    A mixture has its own, and those that stand for one component in all of its members.
    """
    own = _own(connection, dataset_id)
    parts = members(connection, dataset_id)
    return known_names(own, [_own(connection, part.id) for part in parts]) if parts else own


def names_taken(connection: Connection, dataset_id: int) -> set[str]:
    """Return the names that a data set, or any member of a mixture, has a column of."""
    here = [dataset_id, *(part.id for part in members(connection, dataset_id))]
    bound = select(DatasetScorer.name).where(DatasetScorer.dataset_id.in_(here))
    return set(connection.scalars(bound))


def _own(connection: Connection, dataset_id: int) -> list[ScoreColumnRow]:
    statement = _columns().where(DatasetScorer.dataset_id == dataset_id)
    return [ScoreColumnRow(*row) for row in connection.execute(statement)]


def of_fingerprint(
    connection: Connection, name: str, fingerprint: str, options: Mapping[str, Any] | None
) -> ScoreColumnRow | None:
    """Return a column as it was when its name stood for the component with this fingerprint."""
    statement = select(Component.__table__).where(Component.fingerprint == fingerprint)
    row = connection.execute(statement).first()
    if row is None:
        return None
    return ScoreColumnRow(
        name=name,
        component_id=row.id,
        imported=False,
        options=options,
        component=row.name,
        distribution=row.distribution,
        version=row.version,
        identity=row.options,
        fingerprint=fingerprint,
    )


def counts(connection: Connection, dataset_id: int, component_id: int) -> ScoreCounts:
    """Return what a component has for the samples of a data set."""
    row = connection.execute(
        select(
            func.count(Score.value),
            func.count(Score.error),
            func.min(Score.value),
            func.avg(Score.value),
            func.max(Score.value),
        )
        .select_from(Sample)
        .join(Score, Score.content_id == Sample.content_id)
        .where(*of_dataset(connection, dataset_id))
        .where(Score.component_id == component_id)
    ).one()
    return ScoreCounts(*row)


def runs(connection: Connection, dataset_id: int, component_id: int) -> list[ScoreRunRow]:
    """Return the runs that a component's values for a data set come from, oldest first."""
    given = (
        select(Score.run_id, func.count().label("count"))
        .select_from(Sample)
        .join(Score, Score.content_id == Sample.content_id)
        .where(*of_dataset(connection, dataset_id))
        .where(Score.component_id == component_id, Score.run_id.is_not(None))
        .group_by(Score.run_id)
        .subquery()
    )
    statement = (
        select(Run.id, Run.command, Run.started_at, Run.config, given.c.count)
        .join(given, given.c.run_id == Run.id)
        .order_by(Run.id)
    )
    return [ScoreRunRow(*row) for row in connection.execute(statement)]


def count_paid(connection: Connection, component_id: int) -> int:
    """Return how many replies of services the ledger holds of a component."""
    statement = (
        select(func.count())
        .select_from(LlmCall)
        .where(LlmCall.component_id == component_id, LlmCall.state.in_((DONE, UNREADABLE)))
    )
    return int(connection.scalar(statement) or 0)


def drop(connection: Connection, dataset_id: int, row: ScoreColumnRow) -> int:
    """Remove a column from a data set, and its values; returns how many results were deleted.

    A mixture's goes from its members too, where the name stands for the same. Values stay that
    another column has too: one of the same data set under another name, or one of another data
    set that holds the same content.
    """
    here = [dataset_id, *(part.id for part in members(connection, dataset_id))]
    standing = DatasetScorer.component_id == row.component_id
    bound = DatasetScorer.dataset_id.in_(here)
    losing = select(DatasetScorer.dataset_id).where(bound, standing, DatasetScorer.name == row.name)
    connection.execute(
        delete(Checkup).where(Checkup.dataset_id.in_(losing), Checkup.name == row.name)
    )
    connection.execute(delete(DatasetScorer).where(bound, standing, DatasetScorer.name == row.name))
    connection.execute(
        delete(Checkup).where(Checkup.dataset_id == dataset_id, Checkup.name == row.name)
    )
    refresh_scores_wide(connection)
    if connection.scalar(select(DatasetScorer.name).where(bound, standing).limit(1)) is not None:
        return 0
    own = select(Sample.content_id).where(among(Sample.dataset_id, owners(connection, dataset_id)))
    others = connection.scalars(select(DatasetScorer.dataset_id).where(standing).distinct()).all()
    holding = {owner for other in others for owner in owners(connection, other)}
    elsewhere = select(Sample.content_id).where(Sample.dataset_id.in_(sorted(holding)))
    deleted = 0
    for table in (ScoreDetails, Score):
        deleted = connection.execute(
            delete(table).where(
                table.component_id == row.component_id,
                table.content_id.in_(own),
                table.content_id.not_in(elsewhere),
            )
        ).rowcount
    return deleted


def rename(connection: Connection, dataset_id: int, old: str, new: str) -> None:
    """Give a column of a data set another name, in its members too if it is a mixture."""
    rows = list_all(connection, dataset_id)
    component = next((row.component_id for row in rows if row.name == old), None)
    for here in (dataset_id, *(part.id for part in members(connection, dataset_id))):
        mine = (DatasetScorer.dataset_id == here, DatasetScorer.component_id == component)
        before, after = (*mine, DatasetScorer.name == old), (*mine, DatasetScorer.name == new)
        has_it = connection.scalar(select(DatasetScorer.name).where(*before)) is not None
        if not has_it and here != dataset_id:
            continue
        sound = are_sound(connection, DatasetScorer, *before)
        connection.execute(update(DatasetScorer).where(*before).values(name=new))
        if sound:
            seal(connection, DatasetScorer, *after)
        _rename_checkup(connection, here, old, new)
    refresh_scores_wide(connection)


def _rename_checkup(connection: Connection, dataset_id: int, old: str, new: str) -> None:
    """Let what was found of a column go with its name; nothing is left of an earlier column."""
    mine = Checkup.dataset_id == dataset_id
    before, after = (mine, Checkup.name == old), (mine, Checkup.name == new)
    connection.execute(delete(Checkup).where(*after))
    sound = are_sound(connection, Checkup, *before)
    connection.execute(update(Checkup).where(*before).values(name=new))
    if sound:
        seal(connection, Checkup, *after)


def _columns() -> Any:
    return (
        select(
            DatasetScorer.name,
            DatasetScorer.component_id,
            DatasetScorer.imported,
            DatasetScorer.options,
            Component.name,
            Component.distribution,
            Component.version,
            Component.options,
            Component.fingerprint,
        )
        .join(Component, Component.id == DatasetScorer.component_id)
        .order_by(DatasetScorer.name)
    )
