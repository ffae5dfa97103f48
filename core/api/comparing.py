"""Compares selections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.sessions import open_session
from ig4.core.engine.comparing.compare import compare_selections
from ig4.core.engine.comparing.result import ComparisonResult
from ig4.core.engine.requests import pool_settings
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener


def compare(
    a: int | str,
    b: int | str = "last",
    db: str | Path | Store = DEFAULT,
    *,
    dataset: str | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> ComparisonResult:
    """Do what `ig4 compare` does: compare two selections, each given by its number or name.

    Further keywords are tables of `ig4.toml`, as `embedders` and `groupers`. No file is read.

    Raises:
        UsageError: there is no such selection, or the two have nothing to be compared by.
        StorageError: there is no such database.
    """
    settings = pool_settings(configuration.build(tables))
    with open_session(db, listeners, progress=progress) as session:
        chosen = session.dataset(dataset, make=False) if dataset else None
        return compare_selections(session, str(a), str(b), chosen, settings)
