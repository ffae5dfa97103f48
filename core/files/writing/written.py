"""Which files of a folder ig4 wrote: a list in the folder, with what each of them held then."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ig4.core.errors import UsageError
from ig4.core.files.opening import read_bounded

MANIFEST = ".ig4-files"
"""The list: a JSON object in each line, the first one saying what it is."""
_HEADER = {"ig4": "files written by ig4", "version": 1}
_LONGEST_LIST = 1 << 30
"""Bytes of a list that are read: one of five million files; a folder of others may hold any."""


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file as it was written: its sha256 and size, or else where the link leads."""

    name: str  # below the folder, with "/"
    sha256: str | None = None
    size: int | None = None
    link: str | None = None


Written = dict[str, list[WrittenFile]]
"""By name what ig4 wrote; two things while one is being replaced by the other."""


def read_manifest(folder: Path) -> Written:
    """Return what ig4 wrote into a folder; nothing where there is no such list."""
    written: Written = {}
    try:
        with open_regular(folder / MANIFEST) as file:
            lines = read_bounded(file, _LONGEST_LIST).decode("utf-8").splitlines()
        if not lines or json.loads(lines[0]) != _HEADER:
            return {}
        for line in lines[1:]:
            values = json.loads(line)
            values.pop("mtime_ns", None)  # older lists have times
            one = WrittenFile(**values)
            written.setdefault(one.name, []).append(one)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return written


def manifest_text(written: Mapping[str, Iterable[WrittenFile]]) -> str:
    """Return the text of the list, which is the same whenever the files are."""
    lines = [json.dumps(_HEADER)]
    for _, several in sorted(written.items()):
        for one in several:
            values = {key: value for key, value in asdict(one).items() if value is not None}
            lines.append(json.dumps(values))
    return "\n".join(lines) + "\n"


def is_unchanged(path: Path, status: os.stat_result, known: Iterable[WrittenFile]) -> bool:
    """Tell whether what is at `path` (`status`: of itself, not of what it leads to) is ig4's."""
    if stat.S_ISLNK(status.st_mode):
        leads_to = str(path.readlink())
        return any(one.link == leads_to for one in known)
    if not stat.S_ISREG(status.st_mode):
        return False
    digests = {one.sha256 for one in known if one.sha256 and one.size == status.st_size}
    return bool(digests) and digest_of_file(path) in digests


def describe_file(name: str, path: Path, sha256: str | None = None) -> WrittenFile:
    """Return what a file or link holds, to be kept in the list; hashes it unless told."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return WrittenFile(name, link=str(path.readlink()))
    digest = sha256 or digest_of_file(path)
    return WrittenFile(name, digest, status.st_size)


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a regular file; a link in its place is not followed."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular(path: Path) -> io.BufferedReader:
    """Open a regular file for reading bytes; links, pipes and devices raise OSError."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def refuse_link(path: Path) -> None:
    """Refuse a path that is itself a link: what it leads to is not what the user named.

    Raises:
        UsageError: it is one.
    """
    if path.is_symlink():
        raise UsageError(
            f"{path} is a link to {path.readlink()}: name what it leads to, or replace the link "
            "itself with --overwrite"
        )
