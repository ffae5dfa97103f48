"""Checks a score database: what storage can tell, and whether texts are those that were scored."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.calls.presence import Presence
from ig4.core.counts import counted, verb
from ig4.core.engine.ingesting.contents import content_hash
from ig4.storage import datasets, samples
from ig4.storage.datasets import content_hashes
from ig4.storage.errors import StorageError
from ig4.storage.integrity.check import BLOCK, CheckReport, Damage, check_database
from ig4.storage.integrity.repair import repair_damage
from ig4.storage.store import Store

if TYPE_CHECKING:
    from sqlalchemy import Connection


def check(location: str | Path) -> CheckReport:
    """Return what is damaged in a score database, without changing it.

    Raises:
        StorageError: there is no such database, or it is not one of this version of ig4.
    """
    return check_database(location, _check_contents)


def _check_contents(connection: Connection) -> tuple[Sequence[Damage], int]:
    """Compare the hash of each sample's texts and images with the one that its scores belong to."""
    found, count = [], 0
    for dataset in datasets.list_all(connection):
        if dataset.is_mixture:
            continue  # its samples are those of its members
        damaged: list[samples.SampleRow] = []
        page: list[samples.SampleRow] = []
        for row in samples.stream(connection, dataset.id):
            page.append(row)
            if len(page) == BLOCK:
                damaged += _differing(connection, page)
                page = []
            count += 1
        damaged += _differing(connection, page)
        if damaged:
            shown = ", ".join(repr(row.external_id) for row in damaged[:3])
            shown += ", …" if len(damaged) > 3 else ""
            found.append(
                Damage(
                    "samples",
                    f"{counted(len(damaged), 'sample')} of {dataset.name} "
                    f"{verb(len(damaged), 'does', 'do')} not hold the texts and images "
                    f"that were scored ({shown})",
                    f"`ig4 db check --repair` marks the data set; then `ig4 ingest {dataset.path} "
                    f"--name {dataset.name}` reads it again",
                    [(dataset.id, row.id) for row in damaged],
                )
            )
    return found, count


def _differing(
    connection: Connection, rows: Sequence[samples.SampleRow]
) -> list[samples.SampleRow]:
    known = content_hashes(connection, [row.content_id for row in rows])
    return [row for row in rows if stored_hash(row) != known.get(row.content_id)]


def repair(location: str | Path, damage: Sequence[Damage]) -> int:
    """Delete what is damaged and can be made again; see `repair_damage`.

    Processes that were killed while they moved vectors do not stand in the way.

    Raises:
        StorageError: the database cannot be written, or another process moves its vectors now.
    """
    with suppress(StorageError), Store.open(location, create=False) as store:
        Presence(store).forget_gone()
    return repair_damage(location, damage)


def stored_hash(row: samples.SampleRow) -> str | None:
    """Return the hash of what a stored sample holds; None where that cannot be read any more."""
    try:
        return content_hash(row)
    except ValueError:  # the turns are not JSON any more
        return None
