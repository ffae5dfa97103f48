"""Writes files that last: whole or not at all, and on the disk before anything relies on them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ig4.core.errors import DatasetError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target`, which replaces `target` when the block succeeds.

    A reader finds the old file or the whole new one, never a part, also after a power cut. Missing
    folders above `target` are made; after an error the temporary file is removed.

    Raises:
        DatasetError: it cannot be written (no room, no permission, a folder in its place).
    """
    if target.is_dir() and not target.name:  # such as . and /
        raise DatasetError(f"{target} cannot be written: it is a folder")
    partial = target.with_name(f".{target.name[:100]}.{os.getpid()}.part")
    try:
        make_folder(target.parent)
        try:
            yield partial
            rename(partial, target)
        finally:
            _remove(partial)
    except OSError as error:
        raise DatasetError(f"{target} cannot be written: {error.strerror or error}") from error


def rename(source: Path, target: Path) -> None:
    """Give a finished file or folder its lasting name, in place of a file that has it.

    Its content reaches the disk before the name does, and the name before this returns.
    """
    sync(source)
    source.replace(target)
    sync_entry(target)


def copy(source: Path, target: Path) -> None:
    """Copy the content of a file into another, which then lasts."""
    shutil.copyfile(source, target)
    sync(target)
    sync_entry(target)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that they last; does nothing where it exists."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        sync_entry(path)


def sync(path: Path) -> None:
    """Wait until a file, or all that is in a folder, is on the disk."""
    if path.is_dir():
        for inner in path.iterdir():
            if not inner.is_symlink():
                sync(inner)
    _sync(path)


def sync_entry(path: Path) -> None:
    """Wait until a file's or folder's own name is on the disk: the folder that it is in."""
    _sync(path.absolute().parent)


def _sync(path: Path) -> None:
    folder = path.is_dir()
    windows = os.name == "nt"  # it flushes only what may be written, and no folders
    if folder and windows:
        return
    try:
        opened = os.open(path, os.O_RDWR if windows else os.O_RDONLY)
    except PermissionError:
        if folder:  # one may write into a folder that one may not read
            return
        raise
    try:
        _flush(opened)
    except OSError:
        if not folder:  # some network file systems sync no folders
            raise
    finally:
        os.close(opened)


def _flush(opened: int) -> None:
    """Flush a file to the disk itself; macOS stops at the drive's own memory unless asked."""
    try:
        from fcntl import F_FULLFSYNC, fcntl  # type: ignore[attr-defined]  # macOS only
    except ImportError:
        os.fsync(opened)
        return
    with suppress(OSError):
        fcntl(opened, F_FULLFSYNC)
        return
    os.fsync(opened)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
