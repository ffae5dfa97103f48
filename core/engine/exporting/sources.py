"""The data sets that an export takes samples from, and how the records of each are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.records import JSON

if TYPE_CHECKING:
    from ig4.storage.datasets import DatasetRow

_ID = "id"


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A data set, and whether its records are written as they were read (`same`)."""

    dataset: DatasetRow
    same: bool


def sources_of(
    members: Sequence[DatasetRow], form: str, for_trainer: bool
) -> Mapping[str, ExportSource]:
    """Return by name how the records of each data set are written in a format.

    As they were read if they are of this format, and of the same options and header as those of
    the first that is: an export has one header.
    """
    fitting = [row for row in members if row.format == form and not for_trainer]
    first = fitting[0] if fitting else None
    return {
        row.name: ExportSource(row, first is not None and row in fitting and _alike(row, first))
        for row in members
    }


def _alike(one: DatasetRow, other: DatasetRow) -> bool:
    return dict(one.options) == dict(other.options) and one.header == other.header


def with_id(raw: JSON, own: str, wanted: str) -> JSON:
    """Return a record whose `id`, if it is the sample's own, is the one that it has in a mixture.

    Of records that a format keeps otherwise, the id stays.
    """
    if not isinstance(raw, dict) or _ID not in raw or isinstance(raw[_ID], bool):
        return raw
    told = str(raw[_ID])
    if own != told and not own.startswith(f"{told}#"):
        return raw
    return {**raw, _ID: wanted}


def id_in(raw: JSON, own: str, wanted: str) -> str | None:
    """Return the id that a written record has: `own`, or the `wanted` one; None where it has none.

    A record that is made anew (`raw` is None) has the wanted one.
    """
    if raw is None:
        return wanted
    cells = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, list) else ()
    texts = {str(cell) for cell in cells if isinstance(cell, (str, int))}
    return wanted if wanted in texts else own if own in texts else None
