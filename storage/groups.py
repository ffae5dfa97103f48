"""Statements on groupings: the groups of a data set by a grouper, and which samples are in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from sqlalchemy import delete, insert, or_, select

from ig4.storage.arrays import integers, small_integers
from ig4.storage.bulk import put_rows
from ig4.storage.clock import after_all
from ig4.storage.integrity.seals import seal
from ig4.storage.schema import Grouping, GroupLabel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

_BLOCK = 100_000


@dataclass(frozen=True, slots=True)
class GroupingRow:
    """A grouping as stored; `group_names` are in the order of their labels."""

    id: int
    name: str
    inputs: str
    group_names: tuple[str, ...]
    created_at: datetime


def find(connection: Connection, dataset_id: int, inputs: str) -> GroupingRow | None:
    """Return the grouping of a data set that was made from these inputs, or None."""
    rows = list_all(connection, dataset_id)
    return next((row for row in rows if row.inputs == inputs), None)


def list_all(connection: Connection, dataset_id: int) -> list[GroupingRow]:
    """Return the groupings of a data set, oldest first."""
    statement = (
        select(
            Grouping.id,
            Grouping.name,
            Grouping.inputs,
            Grouping.group_names,
            Grouping.created_at,
        )
        .where(Grouping.dataset_id == dataset_id)
        .order_by(Grouping.created_at, Grouping.id)
    )
    return [
        GroupingRow(id_, name, inputs, tuple(names), created)
        for id_, name, inputs, names, created in connection.execute(statement)
    ]


def put(
    connection: Connection,
    *,
    dataset_id: int,
    name: str,
    component_id: int,
    inputs: str,
    group_names: Sequence[str],
    run_id: int | None,
    samples: NDArray[np.int64],
    labels: NDArray[np.int64],
) -> int:
    """Store a grouping: pairs of sample ids and labels (m,), of which a sample may have several.

    It replaces the one of its name in the data set, and one of the same inputs.
    """
    stale = or_(Grouping.name == name, Grouping.inputs == inputs)
    connection.execute(delete(Grouping).where(Grouping.dataset_id == dataset_id, stale))
    order = np.lexsort((labels, samples))
    samples, labels = samples[order], labels[order]
    values = {
        "dataset_id": dataset_id,
        "name": name,
        "component_id": component_id,
        "inputs": inputs,
        "group_names": list(group_names),
        "run_id": run_id,
        "created_at": after_all(connection, Grouping.created_at),
        "labels_crc": checksum(samples, labels),
    }
    added = int(connection.scalar(insert(Grouping).values(values).returning(Grouping.id)) or 0)
    seal(connection, Grouping, Grouping.id == added)
    for rows in _rows(added, samples, labels):
        put_rows(connection, GroupLabel, ["grouping_id", "sample_id", "label"], rows)
    return added


def memberships(
    connection: Connection, grouping_id: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of sample ids and labels (m,) of a grouping, by sample, then by label."""
    statement = (
        select(GroupLabel.sample_id, GroupLabel.label)
        .where(GroupLabel.grouping_id == grouping_id)
        .order_by(GroupLabel.sample_id, GroupLabel.label)
    )
    pairs = integers(connection, statement).reshape(-1, 2)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def single_labels(
    connection: Connection, grouping_id: int, samples: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    """Return the labels (n,) of a grouping that has given each of these samples just one.

    `samples` (n,) are ids, ascending. None where some have no label or several, or where there are
    labels of others: `memberships` has them all. The checksum tells, as ids are not read.
    """
    statement = (
        select(GroupLabel.label)
        .where(GroupLabel.grouping_id == grouping_id)
        .order_by(GroupLabel.sample_id, GroupLabel.label)
    )
    labels = small_integers(connection, statement)
    stored = connection.scalar(select(Grouping.labels_crc).where(Grouping.id == grouping_id))
    same = len(labels) == len(samples) and checksum(samples, labels) == stored
    return labels if same else None


def stored_checksum(connection: Connection, grouping_id: int) -> int:
    """Return the CRC-32 of the labels that a grouping has."""
    return checksum(*memberships(connection, grouping_id))


def checksum(samples: NDArray[np.int64], labels: NDArray[np.int64]) -> int:
    """Return the CRC-32 of pairs in the order of `memberships`."""
    return crc32(np.stack([samples, labels]).astype("<i8").tobytes())


def _rows(
    grouping_id: int, samples: NDArray[np.int64], labels: NDArray[np.int64]
) -> Iterator[list[tuple[int, int, int]]]:
    for start in range(0, len(samples), _BLOCK):
        part = slice(start, start + _BLOCK)
        yield [
            (grouping_id, sample, label)
            for sample, label in zip(samples[part].tolist(), labels[part].tolist(), strict=True)
        ]
