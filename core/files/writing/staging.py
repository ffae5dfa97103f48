"""Writes beside the target first, then moves what was written into place, all or nothing.

What is written goes to a private folder, so that no link and no file of the user's is in the way.
Only when all of it is there are its places looked at: a file that ig4 did not write, or that was
changed since, is never replaced unasked, and no link is followed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ig4.core.counts import counted
from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.writing.locks import hold_lock, may_be_locked
from ig4.core.files.writing.openfolder import OPEN_FOLDER, OpenFolder
from ig4.core.files.writing.written import (
    MANIFEST,
    WrittenFile,
    describe_file,
    digest_of_file,
    is_unchanged,
    manifest_text,
    open_regular,
    read_manifest,
    refuse_link,
)

_PREFIX, _SUFFIX, _NEW, _LOCK = ".ig4-", ".part", ".new", "lock"
_LEFT_SECONDS = 86_400.0

Protects = Callable[[Path, os.stat_result | None], str | None]
"""Returns why a place may never be written, or None; it gets the status of what is there."""


def _unprotected(_: Path, __: os.stat_result | None) -> None:
    return None


@dataclass(slots=True)
class Staging:
    """Where to write instead of `target`; `digests` are sha256 that need not be computed again.

    `base` is the folder that `root` will be moved to: what is written at `root/a/b` gets to
    `base/a/b`.
    """

    target: Path
    base: Path
    root: Path
    path: Path
    spare: Path  # a folder for parts that are not moved
    digests: dict[Path, str] = field(default_factory=dict)

    def final(self, path: Path) -> Path:
        """Return where a path of the staging folder gets to."""
        return self.base / path.relative_to(self.root)


@contextmanager
def staged(
    target: Path, *, overwrite: bool = False, protects: Protects = _unprotected
) -> Iterator[Staging]:
    """Yield where to write, and move it to `target` when the block succeeds.

    After an error, or a kill, nothing in place has changed but what had been moved already; the
    next writing removes what a kill left behind. With `overwrite` files of others are replaced, and
    links themselves, never what they lead to.

    Raises:
        UsageError: a place is taken by something that ig4 did not write, or that is protected.
        DatasetError: it cannot be written (no room, no permission).
    """
    made: list[Path] = []
    room = None
    try:
        target = named(target)
        check_target(target, overwrite=overwrite)
        is_folder = target.is_dir() and not target.is_symlink()
        made = _make_folders(target.parent)
        parent = Path(os.path.realpath(target.parent))
        base = parent / target.name if is_folder else parent
        home = base if is_folder and not _moves_into(parent, base) else parent
        for folder in {parent, base if is_folder else parent}:
            _remove_leftovers(folder)
        room = home / f"{_PREFIX}{secrets.token_hex(8)}{_NEW}"
        room.mkdir(mode=0o700)
        (room / _LOCK).touch()
        with hold_lock(room / _LOCK, f"{target} is being written by another process"):
            # Locked before it has the name of those that are removed where nobody holds the lock.
            room = room.rename(room.with_suffix(_SUFFIX))
            staging = _open_staging(target, base, room, is_folder=is_folder)
            yield staging
            _Publication(staging, overwrite=overwrite, protects=protects).publish()
        made = []
    except DatasetError as error:
        raise DatasetError(_without_room(str(error), room, target)) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DatasetError(f"{target} cannot be written: {reason}") from error
    finally:
        if room is not None:
            shutil.rmtree(room, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def staged_file(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a path to write one file at, which gets to `target` when the block succeeds.

    Raises:
        UsageError, DatasetError: as `staged`, and where `target` is a folder.
    """
    check_target(target, overwrite=overwrite, is_file=True)
    with staged(target, overwrite=overwrite) as staging:
        yield staging.path


def named(target: Path) -> Path:
    """Return a target as an absolute path whose last part is a name, not `.` or `..`."""
    whole = Path.cwd() / target
    if target.name in ("", "..") or not whole.name:
        whole = whole.resolve()
    return whole


def check_target(target: Path, *, overwrite: bool, is_file: bool = False) -> None:
    """Find out before any work is done that a target may not be written.

    Raises:
        UsageError: it is a link, a device, or a file that ig4 did not write; or a folder, where
            that has to be a file.
    """
    target = named(target)
    try:
        status = target.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise DatasetError(f"{target} cannot be written: {error.strerror or error}") from None
    if stat.S_ISLNK(status.st_mode):
        if not overwrite:
            refuse_link(target)
    elif stat.S_ISREG(status.st_mode):
        known = read_manifest(target.parent).get(target.name, ())
        if not overwrite and not is_unchanged(target, status, known):
            raise UsageError(_foreign([target]))
    elif stat.S_ISDIR(status.st_mode):
        if is_file:
            raise UsageError(f"{target} cannot be written: it is a folder")
    else:
        raise UsageError(f"{target} is no file and no folder: name another target")


def _moves_into(parent: Path, folder: Path) -> bool:
    """Tell whether the private folder may be beside a folder, and what is in it be moved there.

    In the folder itself a link that takes its place would lead elsewhere what is written.
    """
    may_write = os.access(parent, os.W_OK | os.X_OK)
    return may_write and _traits(parent) == _traits(folder)


def _traits(folder: Path) -> tuple[object, ...]:
    """Return the mount of a folder, and what new files in it get: their group and rights.

    Nothing moves between two mounts. They may be of one device, as a folder of the host that a
    container has at another place; Linux tells them apart.
    """
    descriptor = os.open(folder, OPEN_FOLDER)
    try:
        found = ""
        with suppress(OSError):
            lines = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii").splitlines()
            found = next((line for line in lines if line.startswith("mnt_id:")), "")
        status, rights = os.fstat(descriptor), b""
        with suppress(OSError, AttributeError):  # there are none, or the system has none
            rights = os.getxattr(folder, "system.posix_acl_default")
        group = status.st_gid if status.st_mode & stat.S_ISGID else None
        return status.st_dev, found, group, rights
    finally:
        os.close(descriptor)


def _open_staging(target: Path, base: Path, room: Path, *, is_folder: bool) -> Staging:
    root, spare = room / "new", room / "spare"
    root.mkdir()
    spare.mkdir()
    path = root / target.name
    if is_folder:
        path.mkdir()
        return Staging(target, base, path, path, spare)
    return Staging(target, base, root, path, spare)


def _make_folders(folder: Path) -> list[Path]:
    """Make the missing folders; returns those made, innermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
    return missing


def _remove_leftovers(home: Path) -> None:
    """Remove what killed processes left in a folder: no living one holds the lock in there.

    What has no lock yet, or none any more, is left for a day.
    """
    for left in home.glob(f"{_PREFIX}*"):
        if left.suffix not in (_SUFFIX, _NEW) or left.is_symlink() or not left.is_dir():
            continue
        with suppress(OSError):
            is_locked = may_be_locked(left / _LOCK)
            if left.suffix == _NEW or not (left / _LOCK).exists():
                is_locked = time.time() - left.stat().st_mtime < _LEFT_SECONDS
            if not is_locked:
                shutil.rmtree(left, ignore_errors=True)


def _without_room(text: str, room: Path | None, target: Path) -> str:
    """Return a message that names the target, not the place where it was prepared."""
    if room is None:
        return text
    return text.replace(str(room / "new" / target.name), str(target)).replace(
        str(room / "new"), str(target.parent)
    )


def _foreign(paths: list[Path]) -> str:
    first = (
        f"{paths[0]} exists"
        if len(paths) == 1
        else (f"{counted(len(paths), 'file')} exist (first: {paths[0]})")
    )
    whom = "it was" if len(paths) == 1 else "they were"
    return (
        f"{first}, and {whom} not written by ig4, or changed since: write somewhere else, or "
        f"replace {'it' if len(paths) == 1 else 'them'} with --overwrite"
    )


class _Publication:
    """Moves the files of a staging folder to their places."""

    def __init__(self, staging: Staging, *, overwrite: bool, protects: Protects) -> None:
        self.staging = staging
        self.overwrite = overwrite
        self.protects = protects
        self.known = read_manifest(staging.base) if self._exists(staging.base) else {}

    def publish(self) -> None:
        """Check all places, list what gets there, and move it there.

        The list is written first, with what was and what will be: whenever this is interrupted,
        the files are known as ig4's.
        """
        staging = self.staging
        self._choose_base()
        files = {self._name(path): path for path in _files_below(staging.root)}
        files.pop(MANIFEST, None)
        stays = self._check(files)
        written = {
            name: describe_file(name, path, staging.digests.get(path))
            for name, path in files.items()
            if name not in stays
        }
        both = dict(self.known)
        for name, one in written.items():
            both[name] = [*self.known.get(name, ()), one]
        with OpenFolder.of(staging.base, replace_link=self.overwrite) as base:
            self._put_manifest(base, both)
            for name in written:
                self._put(base, name, files[name])
            self._put_manifest(base, self.known | {name: [one] for name, one in written.items()})

    def _choose_base(self) -> None:
        """Let the folder that was written be the base, where it is one and new."""
        staging = self.staging
        if staging.path == staging.root or not staging.path.is_dir():
            return
        beside = [path for path in staging.root.iterdir() if path != staging.path]
        if beside:
            raise DatasetError(
                f"{staging.target} cannot be written: the format writes {beside[0].name} beside it"
            )
        staging.base = staging.base / staging.path.name
        staging.root = staging.path
        self.known = read_manifest(staging.base) if self._exists(staging.base) else {}

    def _name(self, path: Path) -> str:
        return path.relative_to(self.staging.root).as_posix()

    @staticmethod
    def _exists(path: Path) -> bool:
        return path.is_dir() and not path.is_symlink()

    def _check(self, files: dict[str, Path]) -> set[str]:
        """Look at the place of each file; returns those that hold the same bytes, and stay.

        Raises:
            UsageError: a place is taken.
        """
        stays: set[str] = set()
        foreign: list[Path] = []
        for name, path in files.items():
            place = self.staging.base / name
            status = self._status(name)
            why = self.protects(place, status)
            if why is not None:
                raise UsageError(why)
            if status is None:
                continue
            if stat.S_ISDIR(status.st_mode):
                raise UsageError(f"{place} is a folder, where a file is to be written: remove it")
            if self._is_equal(place, status, path):
                stays.add(name)
            elif is_unchanged(place, status, self.known.get(name, ())):
                continue
            elif stat.S_ISLNK(status.st_mode) and not self.overwrite:
                refuse_link(place)
            else:
                foreign.append(place)
        if foreign and not self.overwrite:
            raise UsageError(_foreign(foreign))
        return stays

    def _status(self, name: str) -> os.stat_result | None:
        """Return the status of what is at a place; no link on the way is followed."""
        place = self.staging.base
        if place.is_symlink():
            return None  # it will be replaced by a folder
        parts = name.split("/")
        for index, part in enumerate(parts):
            place = place / part
            try:
                status = place.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if index + 1 == len(parts):
                return status
            if stat.S_ISLNK(status.st_mode):
                if not self.overwrite:
                    refuse_link(place)
                return None
            if not stat.S_ISDIR(status.st_mode):
                raise UsageError(f"{place} is a file, where a folder is to be: remove it")
        return None

    def _is_equal(self, place: Path, status: os.stat_result, path: Path) -> bool:
        if not stat.S_ISREG(status.st_mode):
            return False
        is_link = path.is_symlink()
        if not is_link and path.lstat().st_size != status.st_size:
            return False
        digest = self.staging.digests.get(path)
        if digest is None:
            if is_link:
                return False
            digest = digest_of_file(path)
        return digest == digest_of_file(place)

    def _put(self, base: OpenFolder, name: str, path: Path) -> None:
        *folders, last = name.split("/")
        with base.below(folders, make=True, replace_links=self.overwrite) as folder:
            folder.move_in(path, last, is_ours=self._may_replace(name))

    def _may_replace(self, name: str) -> Callable[[Path, os.stat_result], bool]:
        known: list[WrittenFile] = self.known.get(name, [])
        return lambda place, status: self.overwrite or is_unchanged(place, status, known)

    def _put_manifest(self, base: OpenFolder, written: dict[str, list[WrittenFile]]) -> None:
        place = self.staging.base / MANIFEST
        if place.is_symlink() and not self.overwrite:
            refuse_link(place)
        if place.exists() and not self.known and not self.overwrite and not _is_manifest(place):
            raise UsageError(_foreign([place]))
        path = self.staging.spare / MANIFEST
        path.write_text(manifest_text(written), encoding="utf-8")
        base.move_in(path, MANIFEST, is_ours=lambda _, __: True)


def _is_manifest(place: Path) -> bool:
    try:
        with open_regular(place) as file:
            return file.read(7) == b'{"ig4":'
    except OSError:
        return False


def _files_below(root: Path) -> Iterator[Path]:
    """Yield files and links below a folder; links to folders are links."""
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(Path(entry.path))
        else:
            yield Path(entry.path)
