"""Writes files atomically: a reader finds the old one or the whole new one, never a part."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ig4.core.errors import DatasetError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, which replaces `target` when the block succeeds.

    Missing folders above `target` are made; after an error the temporary file is removed.

    Raises:
        DatasetError: it cannot be written (no room, no permission, a folder in its place).
    """
    if target.is_dir() and not target.name:  # such as . and /
        raise DatasetError(f"{target} cannot be written: it is a folder")
    partial = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
            partial.replace(target)
        finally:
            _remove(partial)
    except OSError as error:
        raise DatasetError(f"{target} cannot be written: {error.strerror or error}") from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
