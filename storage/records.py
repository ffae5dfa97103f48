"""Rewrites the configurations that the database keeps of runs, components and ablations."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from ig4.storage.connect import is_sqlite, translate_errors
from ig4.storage.integrity.seals import resealed
from ig4.storage.schema import Ablation, Clustering, Component, DatasetScorer, Run

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_COLUMNS = (
    (Run, "config"),
    (Run, "summary"),
    (Component, "options"),
    (Ablation, "config"),
    (Clustering, "settings"),
    (DatasetScorer, "options"),
)
"""Every column that holds what a user configured."""


def rewrite_json(connection: Connection, rewrite: Callable[[Any], Any]) -> int:
    """Replace each configuration by what `rewrite` makes of it; returns how many changed."""
    changed = 0
    for table, name in _COLUMNS:
        keys = list(table.__table__.primary_key)
        column = getattr(table, name)
        for *key, value in connection.execute(select(*keys, column)).all():
            new = rewrite(value)
            if new == value:
                continue
            changed += 1
            here = [one == part for one, part in zip(keys, key, strict=True)]
            statement = update(table).where(*here).values({name: new})
            sealed = "crc" in table.__table__.c
            with resealed(connection, table, *here) if sealed else nullcontext():
                connection.execute(statement)
    return changed


def compact(engine: Engine) -> None:
    """Write the database anew, so that nothing of deleted or replaced rows is left in its file.

    Raises:
        StorageError: another process works on it.
    """
    with translate_errors(engine.url), closing(engine.raw_connection()) as raw:
        opened: Any = raw.driver_connection
        if is_sqlite(engine.url):
            opened.execute("VACUUM")
            opened.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        opened.autocommit = True
        try:
            opened.execute("VACUUM")
        finally:
            opened.autocommit = False  # the pool keeps the connection
