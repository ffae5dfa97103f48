"""Saved states from which an interrupted training resumes; incomplete ones are ignored."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from ig4.core.files.writing.atomic import sync, sync_entry

STATE = "state"
_COMPLETE = "complete"


def remove_states(output: Path) -> None:
    """Remove the states, which only an unfinished training needs; reporters' logs stay."""
    folder = output / STATE
    for state in folder.glob("checkpoint-*"):
        shutil.rmtree(state, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


def newest_state(folder: Path) -> Path | None:
    """Return the newest complete state in a folder, and remove incomplete ones."""
    for state in folder.glob("checkpoint-*"):
        if not (state / _COMPLETE).is_file():
            shutil.rmtree(state, ignore_errors=True)
    return newest_complete(folder)


def newest_complete(folder: Path) -> Path | None:
    """Return the newest complete state in a folder, without changing anything."""
    found = [state for state in folder.glob("checkpoint-*") if (state / _COMPLETE).is_file()]
    return max(found, key=step_of, default=None)


def step_of(state: Path) -> int:
    """Return the step after which a state was saved."""
    return int(state.name.rpartition("-")[2])


def mark_complete(state: Path) -> None:
    """Mark a state as complete, once its files are on the disk."""
    sync(state)
    (state / _COMPLETE).write_text("", encoding="utf-8")
    sync(state)
    sync_entry(state)
