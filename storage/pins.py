"""Statements on pins: samples that a user wants in every selection, or in none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select

from ig4.storage.bulk import in_values
from ig4.storage.integrity.seals import seal
from ig4.storage.membership import among, in_order, owners, prefixes
from ig4.storage.runs import now
from ig4.storage.schema import Pin, Sample

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class PinRow:
    """A pin: the sample is kept, or vetoed."""

    sample_id: int
    external_id: str
    keep: bool
    note: str | None
    created_at: datetime


def put(
    connection: Connection,
    dataset_id: int,
    sample_ids: Sequence[int],
    *,
    keep: bool,
    note: str | None = None,
) -> None:
    """Pin samples of a data set, or veto them, in place of what was said of them before."""
    remove(connection, dataset_id, sample_ids)
    ids = list(dict.fromkeys(sample_ids))
    rows = [
        {
            "dataset_id": dataset_id,
            "sample_id": sample_id,
            "keep": keep,
            "note": note,
            "created_at": now(),
        }
        for sample_id in ids
    ]
    if rows:
        connection.execute(insert(Pin), rows)
        mine = in_values(connection, Pin.sample_id, ids)
        seal(connection, Pin, Pin.dataset_id == dataset_id, mine)


def remove(connection: Connection, dataset_id: int, sample_ids: Sequence[int]) -> int:
    """Take back what was said of samples; returns of how many."""
    mine = in_values(connection, Pin.sample_id, list(sample_ids))
    statement = delete(Pin).where(Pin.dataset_id == dataset_id, mine)
    return connection.execute(statement).rowcount


def list_all(connection: Connection, dataset_id: int) -> list[PinRow]:
    """Return the pins of samples that a data set has now, in their order.

    A mixture has those of its members, too; what was said of a sample in the mixture itself counts
    before that.
    """
    ids = owners(connection, dataset_id)
    before = prefixes(connection, dataset_id)
    statement = (
        select(
            Pin.dataset_id,
            Sample.dataset_id,
            Pin.sample_id,
            Sample.external_id,
            Pin.keep,
            Pin.note,
            Pin.created_at,
        )
        .join(Sample, Sample.id == Pin.sample_id)
        .where(
            among(Sample.dataset_id, ids),
            Sample.ordinal.is_not(None),
            Pin.dataset_id.in_([dataset_id, *ids]),
        )
        .order_by(*in_order(ids))
    )
    found: dict[int, PinRow] = {}
    for said_of, owner, sample, name, keep, note, when in connection.execute(statement):
        if sample in found and said_of != dataset_id:
            continue
        found[sample] = PinRow(sample, before.get(owner, "") + name, keep, note, when)
    return list(found.values())


def count(connection: Connection, dataset_id: int) -> int:
    """Return how many pins `list_all` would return, at most: it reads no samples."""
    ids = {dataset_id, *owners(connection, dataset_id)}
    mine = Pin.dataset_id.in_(sorted(ids))
    return int(connection.scalar(select(func.count()).select_from(Pin).where(mine)) or 0)
