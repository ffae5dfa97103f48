"""Copies a score database, and tells how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.counts import counted
from ig4.core.events import Event, Listener, StageAdvanced, StageFinished, StageStarted
from ig4.storage.copying import copy as copying

if TYPE_CHECKING:
    from ig4.storage.copying.copy import CopyResult

STAGE = "copy"


def copy(
    location: str | Path,
    target: str | Path,
    listeners: Sequence[Listener] = (),
    *,
    images: Path | None = None,
    vectors: Path | None = None,
) -> CopyResult:
    """Copy a score database, SQLite or PostgreSQL, into an empty one; see `copy_database`.

    Files beside it go to the folders `images` and `vectors`, by default to those of the target.

    Raises:
        StorageError: the target is not empty or cannot be written; the source cannot be read.
    """

    def emit(event: Event) -> None:
        for listener in listeners:
            listener(event)

    def watch(table: str, rows: int) -> None:
        emit(StageAdvanced(STAGE, rows, note=table.replace("_", " ")))

    emit(StageStarted(STAGE, copying.count_rows(location), "rows"))
    result = copying.copy_database(location, target, watch, images=images, vectors=vectors)
    emit(StageFinished(STAGE, counted(result.rows, "row")))
    return result
