"""Locks the folder that an ablation trains in, and removes checkpoints from it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ig4.core.files.writing.locks import hold_lock


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep other calls from training in a folder while the block runs.

    The operating system releases the lock if this process is killed.

    Raises:
        UsageError: another process trains in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".lock"
    lock.touch()
    with hold_lock(
        lock,
        f"another `ig4 ablate` trains in {folder}: wait until it is done, or name another folder "
        "with --checkpoints",
    ):
        yield


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint's folder, if it is there.

    It is renamed first, so that a kill leaves no half of a checkpoint that looks like a whole one.
    """
    if not folder.is_dir():
        return
    removed = folder.with_name(f"{folder.name}.removed")
    shutil.rmtree(removed, ignore_errors=True)
    folder.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)
