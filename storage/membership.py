"""Whose samples a data set has: its own, or those of the members of a mixture, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import case, delete, insert, select

from ig4.storage.runs import now
from ig4.storage.schema import Dataset, DatasetMember, Sample

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine
    from sqlalchemy.orm import InstrumentedAttribute

MIXTURE = "mixture"
"""The format of a data set that has no samples of its own, but those of its members."""


class Member(NamedTuple):
    """A data set that is part of a mixture."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class PlannedMixture:
    """A mixture that is asked about, and that no table knows of; its `id` is below 0."""

    id: int
    name: str
    members: tuple[Member, ...]


class NamedComponent(Protocol):
    """What a plain name stands for in a data set."""

    @property
    def name(self) -> str:
        """The plain name."""

    @property
    def component_id(self) -> int:
        """The component that it stands for."""


Named = TypeVar("Named", bound=NamedComponent)

_PLANNED = "ig4_planned_mixtures"
"""The option of an engine, and so of its connections, that holds its planned mixtures by id."""


def plan(engine: Engine, name: str, parts: Sequence[Member]) -> int:
    """Let the connections of one engine know a mixture that is not stored; returns its id.

    What is asked of it is answered from its members. Nothing is written, so that nothing has to be
    removed, nobody else sees it, and nobody who writes is in the way.
    """
    known = engine.get_execution_options().get(_PLANNED, {})
    number = -1 - len(known)
    mixture = PlannedMixture(number, name, tuple(parts))
    engine.update_execution_options(**{_PLANNED: {**known, number: mixture}})
    return number


def planned(connection: Connection) -> Mapping[int, PlannedMixture]:
    """Return the mixtures by id that are not stored, and that this connection knows of."""
    found: Mapping[int, PlannedMixture] = connection.get_execution_options().get(_PLANNED, {})
    return found


def members(connection: Connection, dataset_id: int) -> list[Member]:
    """Return the members of a mixture in their order; none for any other data set."""
    mixture = planned(connection).get(dataset_id)
    if mixture is not None:
        return list(mixture.members)
    rows = connection.execute(
        select(Dataset.id, Dataset.name)
        .join(DatasetMember, DatasetMember.member_id == Dataset.id)
        .where(DatasetMember.dataset_id == dataset_id)
        .order_by(DatasetMember.position)
    )
    return [Member(*row) for row in rows]


def member_ids(connection: Connection) -> dict[int, list[int]]:
    """Return the ids of the members of every mixture, in their order, by its id."""
    rows = connection.execute(
        select(DatasetMember.dataset_id, DatasetMember.member_id).order_by(
            DatasetMember.dataset_id, DatasetMember.position
        )
    )
    found: dict[int, list[int]] = {}
    for number, member in rows:
        found.setdefault(number, []).append(member)
    for one in planned(connection).values():
        found[one.id] = [member.id for member in one.members]
    return found


def owners(connection: Connection, dataset_id: int) -> list[int]:
    """Return the ids of the data sets whose samples a data set has, in their order."""
    mixture = planned(connection).get(dataset_id)
    if mixture is not None:
        return [member.id for member in mixture.members]
    found = connection.scalars(
        select(DatasetMember.member_id)
        .where(DatasetMember.dataset_id == dataset_id)
        .order_by(DatasetMember.position)
    )
    return list(found) or [dataset_id]


def among(column: InstrumentedAttribute[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a column with the id of a data set has one of `ids`."""
    # One that has samples of its own is asked for as plainly as can be: that is the fast way.
    return column == ids[0] if len(ids) == 1 else column.in_(ids)


def of_dataset(connection: Connection, dataset_id: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the samples that a data set has now."""
    ids = owners(connection, dataset_id)
    return among(Sample.dataset_id, ids), Sample.ordinal.is_not(None)


def in_order(ids: Sequence[int]) -> tuple[Any, ...]:
    """Return what samples are ordered by: their data set's place among `ids`, and their own."""
    if len(ids) == 1:
        return (Sample.ordinal,)
    places = {number: place for place, number in enumerate(ids)}
    return case(places, value=Sample.dataset_id), Sample.ordinal


def prefixes(connection: Connection, dataset_id: int | None) -> Mapping[int, str]:
    """Return what stands before the ids of a mixture's samples, by member; nothing otherwise.

    Samples of two members may have the same id: in the mixture they are `member/id`.
    """
    if dataset_id is None:
        return {}
    return {member.id: f"{member.name}/" for member in members(connection, dataset_id)}


def known_names(own: Sequence[Named], parts: Sequence[Sequence[Named]]) -> list[Named]:
    """Return what names stand for in a mixture, by name.

    They are its own (`own`), and those that stand for one component in all of its members
    (`parts`). A name that means different things in them, or nothing in one, means nothing here:
    its values could not be compared.
    """
    found = {row.name: row for row in own}
    for row in parts[0] if parts else ():
        others = [{one.name: one.component_id for one in part} for part in parts[1:]]
        if all(names.get(row.name) == row.component_id for names in others):
            found.setdefault(row.name, row)
    return [found[name] for name in sorted(found)]


def differing_names(own: Sequence[Named], parts: Sequence[Sequence[Named]]) -> list[str]:
    """Return the names that stand for different components in members, and for none in `own`."""
    meanings: dict[str, set[int]] = {}
    for row in (row for part in parts for row in part):
        meanings.setdefault(row.name, set()).add(row.component_id)
    known = {row.name for row in own}
    return sorted(name for name, ids in meanings.items() if len(ids) > 1 and name not in known)


def put(connection: Connection, name: str, parts: Sequence[Member]) -> int:
    """Add a mixture of data sets; returns its id."""
    values: dict[str, Any] = {
        "name": name,
        "path": "",
        "format": MIXTURE,
        "options": {"members": [part.name for part in parts]},
        "image_root": None,
        "image_roots": [],
        "header": None,
        "source_state": None,
        "created_at": now(),
    }
    number = int(connection.scalar(insert(Dataset).values(values).returning(Dataset.id)) or 0)
    connection.execute(
        insert(DatasetMember),
        [
            {"dataset_id": number, "position": position, "member_id": part.id}
            for position, part in enumerate(parts)
        ],
    )
    return number


def remove(connection: Connection, mixture_id: int) -> None:
    """Remove a mixture with what was made from it; its members, and their scores, stay."""
    connection.execute(delete(Dataset).where(Dataset.id == mixture_id, Dataset.format == MIXTURE))
