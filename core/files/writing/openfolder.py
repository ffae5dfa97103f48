"""A folder held open while files are moved into it, so that no link swapped in is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ig4.core.errors import UsageError

OPEN_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
"""How a folder is opened to get at what is in it: also one that may not be listed."""
_HAS_DIR_FD = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """A folder by its descriptor; by its path alone where the system has none (Windows)."""

    path: Path
    descriptor: int | None

    @classmethod
    @contextmanager
    def of(cls, path: Path, *, replace_link: bool = False) -> Iterator[OpenFolder]:
        """Open a folder, made if it is missing; its last part may not be a link, or is replaced.

        Raises:
            UsageError: it is a link or a file.
            OSError: it cannot be opened or made.
        """
        if not _HAS_DIR_FD:
            path.mkdir(exist_ok=True)
            yield cls(path, None)
            return
        descriptor = os.open(path.parent, OPEN_FOLDER)
        try:
            parts = [path.name] if path.name else []
            above = cls(path.parent, descriptor)
            with above.below(parts, make=True, replace_links=replace_link) as folder:
                yield folder
        finally:
            os.close(descriptor)

    @contextmanager
    def below(
        self, parts: Sequence[str], *, make: bool = False, replace_links: bool = False
    ) -> Iterator[OpenFolder]:
        """Open a folder below this one; links on the way are refused, or replaced by folders.

        Raises:
            UsageError: a link or a file is in the way.
        """
        if not parts:
            yield self
            return
        path = self.path
        opened: list[int] = []
        try:
            at = self.descriptor
            for part in parts:
                path = path / part
                at = _open_below(at, path, make=make, replace_links=replace_links)
                if at is not None:
                    opened.append(at)
            yield OpenFolder(path, at)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def move_in(
        self, source: Path, name: str, *, is_ours: Callable[[Path, os.stat_result], bool]
    ) -> None:
        """Move a file or link to a name in this folder, in one step.

        What is there is replaced if `is_ours` says so; if nothing is there, nothing that comes to
        be there at this moment is replaced.

        Raises:
            UsageError: something is there that may not be replaced.
        """
        place = self.path / name
        there = _status(self.descriptor, place)
        if there is None and self._add(source, name):
            return
        there = _status(self.descriptor, place)
        if there is not None and (stat.S_ISDIR(there.st_mode) or not is_ours(place, there)):
            raise UsageError(f"{place} appeared while it was written: try again")
        if self.descriptor is None:
            source.replace(place)
        else:
            os.rename(source, name, dst_dir_fd=self.descriptor)

    def _add(self, source: Path, name: str) -> bool:
        """Give a file a name that nothing has; False where that fails or cannot be had."""
        if self.descriptor is None:
            return False
        try:
            if source.is_symlink():
                os.symlink(source.readlink(), name, dir_fd=self.descriptor)
            else:
                os.link(source, name, dst_dir_fd=self.descriptor, follow_symlinks=False)
        except (OSError, NotImplementedError):
            return False
        with suppress(OSError):
            source.unlink()
        return True


def _open_below(above: int | None, path: Path, *, make: bool, replace_links: bool) -> int | None:
    there = _status(above, path)
    name, where = (path, {}) if above is None else (path.name, {"dir_fd": above})
    if there is not None and stat.S_ISLNK(there.st_mode):
        if not replace_links:
            raise UsageError(
                f"{path} is a link: name what it leads to, or replace the link itself with "
                "--overwrite"
            )
        os.unlink(name, **where)
        there = None
    if there is None and make:
        with suppress(FileExistsError):
            os.mkdir(name, **where)  # noqa: PTH102 - has no dir_fd
    if above is None:
        return None
    try:
        return os.open(path.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    except NotADirectoryError:
        raise UsageError(f"{path} is a file or a link, where a folder is to be") from None


def _status(above: int | None, path: Path) -> os.stat_result | None:
    try:
        if above is None:
            return path.lstat()
        return os.stat(path.name, dir_fd=above, follow_symlinks=False)
    except FileNotFoundError:
        return None
