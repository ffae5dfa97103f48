"""Explains why a sample is in a selection or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.sessions import open_session
from ig4.core.engine.requests import pool_settings
from ig4.core.engine.selecting.explain import Explanation, explain_selection
from ig4.core.engine.selections.finding import find_selection
from ig4.storage import datasets
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener


def explain(
    id: str | int,  # noqa: A002 - as the command calls it
    db: str | Path | Store = DEFAULT,
    *,
    selection: int | str = "last",
    dataset: str | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> Explanation:
    """Do what `ig4 select --explain` does: say why a selection has a sample or not.

    `id` is the sample's, where a whole number is one, too. `selection` is its number, its name, or
    "last". Further keywords are tables of `ig4.toml`:
    `embedders={"clip-answer": {"use": "clip", "reads": "answer"}}`. No file is read.

    Raises:
        Ig4Error: there is no such selection or sample, or what it was made by is gone.
        StorageError: there is no such database.
    """
    pool = pool_settings(configuration.build(tables))
    with open_session(db, listeners, progress=progress) as session:
        within = session.dataset(dataset, make=False) if dataset else None
        found = find_selection(session, within, str(selection))
        with session.store.reading() as connection:
            rows = datasets.list_all(connection)
        owner = next(row for row in rows if row.id == found.dataset_id)
        return explain_selection(session, owner, found, pool, str(id))
