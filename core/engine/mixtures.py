"""Several data sets as one: a mixture, its members, and what they have in common.

A mixture has no samples of its own. It always has what its members have now, so that it is never
out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.counts import counted, verb
from ig4.core.errors import UsageError
from ig4.storage import datasets, membership, samples, scorecolumns, scores, spaces
from ig4.storage.membership import Member
from ig4.storage.views import lock_schema

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.datasets import DatasetRow
    from ig4.storage.store import Store


_POOL = "pool"
"""What is in the identity of scores that are computed of all samples together."""


def named_parts(name: str) -> list[str]:
    """Return the names of data sets in `a,b`; one alone is no mixture."""
    return [part for part in (part.strip() for part in name.split(",")) if part]


def mixture_of(
    store: Store, parts: Sequence[DatasetRow], *, make: bool = True, planning: bool = False
) -> DatasetRow:
    """Return the mixture of data sets, in their order, which is made where there is none yet.

    Without `make` it is not: what is asked of it, such as a selection, is not there either. While
    `planning`, this store alone knows of it, as long as it is open, and nothing is written.

    A mixture among them stands for its members. It is called by their names: `a+b`.

    Raises:
        UsageError: a data set is named twice, or the ids of two could not be told apart; there is
            no such mixture, and it may not be made.
    """
    with store.reading() as connection:
        wanted = _flattened(connection, parts)
        _check_members(wanted)
        found = _known(connection, wanted)
    if found is not None:
        return found
    if not make:
        names = ",".join(part.name for part in wanted)
        raise UsageError(
            f"there is no selection of {names} yet: run `ig4 select --dataset {names} --size 200` "
            "first"
        )
    return _planned(store, wanted) if planning else _stored(store, wanted)


def _planned(store: Store, wanted: Sequence[Member]) -> DatasetRow:
    """Let a store know a mixture, as it would be called, without storing it."""
    with store.reading() as connection:
        name, _ = _free_name(connection, wanted)
    number = membership.plan(store.engine, name, wanted)
    with store.reading() as connection:
        return next(row for row in datasets.list_all(connection) if row.id == number)


def _stored(store: Store, wanted: Sequence[Member]) -> DatasetRow:
    with store.writing() as connection:
        lock_schema(connection)  # another process may be making it
        found = _known(connection, wanted)
        if found is not None:
            return found
        name, former = _free_name(connection, wanted)
        if former is not None:
            membership.remove(connection, former)
        membership.put(connection, name, wanted)
        made = datasets.find(connection, name)
    assert made is not None
    return made


def _flattened(connection: Connection, parts: Sequence[DatasetRow]) -> list[Member]:
    wanted: list[Member] = []
    for part in parts:
        own = [Member(part.id, part.name)]
        wanted += membership.members(connection, part.id) if part.is_mixture else own
    return wanted


def _check_members(wanted: Sequence[Member]) -> None:
    names = [part.name for part in wanted]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--dataset names {twice!r} twice: a mixture has each data set once")
    for name in names:
        below = next((other for other in names if other.startswith(f"{name}/")), None)
        if below is not None:
            raise UsageError(
                f"the ids of {name!r} and {below!r} cannot be told apart in a mixture, where they "
                "are `data set/id`: ingest one of them under another name (--name)"
            )


def _known(connection: Connection, wanted: Sequence[Member]) -> DatasetRow | None:
    ids = [part.id for part in wanted]
    for mixture, members in membership.member_ids(connection).items():
        row = next((r for r in datasets.list_all(connection) if r.id == mixture), None)
        if members == ids and row is not None and is_whole(row, members):
            return row
    return None


def _free_name(connection: Connection, wanted: Sequence[Member]) -> tuple[str, int | None]:
    """Return a name for a mixture, and the one whose members are gone that has to give it up."""
    members = membership.member_ids(connection)
    taken = {row.name: row for row in datasets.list_all(connection)}
    name = "+".join(part.name for part in wanted)
    number, free = 1, name
    while free in taken:
        row = taken[free]
        if not is_whole(row, members.get(row.id, [])):
            return free, row.id
        number += 1
        free = f"{name}#{number}"
    return free, None


def is_whole(row: DatasetRow, members: Sequence[int]) -> bool:
    """Tell whether all members of a mixture are still there; of any other data set, True."""
    return not row.is_mixture or len(members) == len(row.options["members"])


def whole(connection: Connection, rows: Sequence[DatasetRow]) -> list[DatasetRow]:
    """Return data sets without the mixtures of which a member was removed."""
    members = membership.member_ids(connection)
    return [row for row in rows if is_whole(row, members.get(row.id, []))]


def member_rows(connection: Connection, dataset: DatasetRow) -> list[DatasetRow]:
    """Return the data sets that hold the samples of one: its members, or itself."""
    ids = membership.owners(connection, dataset.id)
    rows: Mapping[int, DatasetRow] = {row.id: row for row in datasets.list_all(connection)}
    return [rows[number] for number in ids]


def told_differing(connection: Connection, dataset: DatasetRow) -> str | None:
    """Return a sentence on names of scores and spaces that members use for different things."""
    if not dataset.is_mixture:
        return None
    differing = scores.differing(connection, dataset.id)
    parts = membership.members(connection, dataset.id)
    of_pools = _of_pools(connection, parts) & set(differing) if differing else set()
    names = [
        *(name for name in differing if name not in of_pools),
        *(f"space {name}" for name in spaces.differing(connection, dataset.id)),
    ]
    members = ",".join(part.name for part in parts)
    told = [_told_of_models(dataset, members, names)] if names else []
    if of_pools:
        told.append(_told_of_pools(dataset, members, sorted(of_pools)))
    return "; ".join(told) or None


def _of_pools(connection: Connection, parts: Sequence[Member]) -> set[str]:
    """Return the names of scores that were computed of all samples of a member together."""
    return {
        row.name
        for part in parts
        for row in scorecolumns.list_all(connection, part.id)
        if _POOL in row.identity and not row.imported
    }


def _told_of_pools(dataset: DatasetRow, members: str, names: Sequence[str]) -> str:
    each = verb(len(names), "its values are", "their values are")
    return (
        f"{', '.join(names)}: {each} of each data set of {dataset.name} alone, where what a sample "
        f"is worth depends on all others, so {verb(len(names), 'it is', 'they are')} left out. "
        f"`ig4 score --dataset {members} --scorers {','.join(names)}` computes "
        f"{verb(len(names), 'it', 'them')} of all together"
    )


def _told_of_models(dataset: DatasetRow, members: str, names: Sequence[str]) -> str:
    return (
        f"{', '.join(names)}: {verb(len(names), 'stands', 'stand')} for different things in the "
        f"data sets of {dataset.name} (another model, other options, or another file), so "
        f"{verb(len(names), 'it is', 'they are')} left out. `ig4 score --dataset {members}` "
        "computes them alike for all"
    )


def count_shared(connection: Connection, dataset: DatasetRow) -> tuple[int, int]:
    """Return how many contents are in several members of a mixture, and in how many samples.

    A content is all texts and images of a sample: those that share it are the same sample.
    """
    if not dataset.is_mixture:
        return 0, 0
    parts = [
        samples.ordered_ids(connection, part.id)[1]
        for part in membership.members(connection, dataset.id)
    ]
    distinct = [np.empty(0, dtype=np.int64), *(np.unique(part) for part in parts)]
    ids, counts = np.unique(np.concatenate(distinct), return_counts=True)
    shared = ids[counts > 1]
    return len(shared), int(sum(np.isin(part, shared).sum() for part in parts))


def tell_shared(store: Store, dataset: DatasetRow, notice: Callable[[str], None]) -> None:
    """Say how many samples several members of a mixture have, where there are any."""
    if not dataset.is_mixture:
        return
    with store.reading() as connection:
        contents, holding = count_shared(connection, dataset)
    if contents:
        notice(
            f"{counted(holding, 'sample')} of {dataset.name} {verb(holding, 'is', 'are')} in "
            f"several of its data sets, with the same texts and images ({contents:,} distinct): "
            "they have the same scores, and each counts as a sample"
        )
