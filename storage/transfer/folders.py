"""Copies the files that lie beside a database: images of data sets, and vectors."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ig4.storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class FolderCopy:
    """What became of the files of a folder: how many were copied, and how many were there."""

    source: Path
    target: Path
    copied: int = 0
    bytes: int = 0
    present: int = 0

    @property
    def shared(self) -> bool:
        """Whether both databases use one folder."""
        return _same(self.source, self.target)


def copy_folder(source: Path, target: Path, *, dry_run: bool = False) -> FolderCopy:
    """Copy the files of a folder, with their times; what is there with the same size stays.

    Links are not followed. A file gets its name when it is whole.

    Raises:
        StorageError: a file cannot be read or written.
    """
    if _same(source, target) or not source.is_dir():
        return FolderCopy(source, target)
    copied = size = present = 0
    try:
        for file, length in _files(source):
            place = target / file.relative_to(source)
            if _holds(place, length):
                present += 1
                continue
            if not dry_run:
                _copy_file(file, place)
            copied, size = copied + 1, size + length
    except OSError as error:
        raise StorageError(
            f"{source} cannot be copied to {target}: {error.strerror or error}. Free some space, "
            "or check the permissions, and start again: what was copied stays."
        ) from None
    return FolderCopy(source, target, copied, size, present)


def copy_file(source: Path, target: Path) -> int | None:
    """Copy a file unless it is there; returns how many bytes, None where there is no such file.

    A link is none.

    Raises:
        StorageError: it cannot be read or written.
    """
    try:
        state = source.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(state.st_mode):
        return None
    size = state.st_size
    if _holds(target, size):
        return 0
    try:
        _copy_file(source, target)
    except OSError as error:
        raise StorageError(
            f"{source} cannot be copied to {target}: {error.strerror or error}. Free some space, "
            "or check the permissions, and start again."
        ) from None
    return size


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the regular files in a folder and in those below, with their sizes."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(".part"):
                yield Path(entry.path), entry.stat(follow_symlinks=False).st_size


def _holds(path: Path, size: int) -> bool:
    try:
        return path.is_file() and path.stat().st_size == size
    except OSError:
        return False


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        shutil.copy2(source, partial, follow_symlinks=False)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
