"""Opens files that may be anything and may change at any time: what was opened is checked.

A name is no proof: between a check and the opening it may come to mean another file. So a path is
walked folder by folder without following a link, and size and kind are asked of the open file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import BinaryIO

PIECE = 1 << 20
"""Bytes that are read at a time."""

_READ = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a named pipe without a writer must not be waited for
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_PATH", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_WALKS = {os.open, os.stat} <= os.supports_dir_fd and os.stat in os.supports_follow_symlinks
_TRIES = 3
_shown: dict[str, Callable[[str], BufferedReader]] = {}
_confines: ContextVar[Sequence[str] | None] = ContextVar("confines", default=None)

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class RefusedFileError(OSError):
    """A file is not read because of what it is or where it lies; `strerror` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EPERM, reason)


class OutsideFileError(RefusedFileError):
    """Links lead to a file outside of the folders that may be read from."""


class SpecialFileError(RefusedFileError):
    """What a path means is no file: a named pipe, a device or a socket."""


class LargeFileError(RefusedFileError):
    """A file is larger than the limit."""


class _LinkError(Exception):
    """A link stands on the way to a file."""


@contextmanager
def only_beneath(roots: Sequence[str] | None) -> Iterator[None]:
    """Let `open_file` open nothing outside of the folders `roots` (real paths) in this block.

    For the files of a data set's folder, which a format finds there and opens by itself: what it
    is given are paths, and what they mean may change until each is opened. None allows any file.
    """
    token = _confines.set(roots)
    try:
        yield
    finally:
        _confines.reset(token)


@contextmanager
def shown_as(folder: str, opener: Callable[[str], BufferedReader]) -> Iterator[None]:
    """Let `opener` open what is below `folder` in this block: files that lie elsewhere in truth."""
    _shown[folder] = opener
    try:
        yield
    finally:
        del _shown[folder]


def open_file(path: str | Path) -> BufferedReader:
    """Open a file that the user named; links are followed, except as `only_beneath` says.

    Raises:
        OutsideFileError: it lies outside of the folders of `only_beneath`.
        SpecialFileError: it is a named pipe, a device or a socket.
        IsADirectoryError: it is a folder.
        OSError, ValueError: it cannot be opened.
    """
    if _shown:
        text = str(path)
        for folder, opener in _shown.items():
            if is_below(text, folder):
                with only_beneath(None):  # the user named it, wherever it lies
                    return opener(text)
    roots = _confines.get()
    if roots is not None:
        return open_beneath(path, roots)
    return _open_named(path)


def _open_named(path: str | Path) -> BufferedReader:
    _require_regular(os.stat(path))  # noqa: PTH116 - opening a device may already do something
    return _checked(os.open(path, _READ))


def open_beneath(path: str | Path, roots: Sequence[str]) -> BufferedReader:
    """Open a file that data named, if it lies in one of the folders `roots` (real paths).

    Links are followed where they lead to a file in one of these folders, however they change
    meanwhile: the real path is walked without following any.

    Raises:
        OutsideFileError: it lies elsewhere.
        SpecialFileError: it is no regular file.
        OSError, ValueError: it is missing or cannot be opened.
    """
    text = os.path.abspath(path)  # noqa: PTH100 - a hot path, on strings
    for attempt in range(_TRIES):
        real = text if attempt == 0 else os.path.realpath(text)
        root = next((one for one in roots if is_below(real, one)), None)
        if root is None and attempt:
            raise OutsideFileError("it lies outside of the folders that may be read from")
        try:
            if root is not None:
                return _open_below(root, real)
        except _LinkError:
            continue
    raise RefusedFileError("links lead to it that run in a circle, or change while it is read")


def is_below(path: str, root: str) -> bool:
    """Tell whether an absolute, normal path lies below a folder, or is it; no link is followed."""
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)


def pieces(file: BinaryIO, limit: int | None = None) -> Iterator[bytes]:
    """Yield what a file holds, `PIECE` bytes at a time.

    Raises:
        LargeFileError: it has more than `limit` bytes, or has them while it is read.
    """
    expected = _length(file)
    _require_length(expected, limit)
    count = 0
    while True:
        left = expected - count
        wanted = left + 1 if 0 <= left < PIECE else PIECE  # one more: a short answer is the last
        piece = file.read(wanted)
        count += len(piece)
        _require_length(count, limit)
        yield piece
        if len(piece) < wanted:
            return


def _length(file: BinaryIO) -> int:
    if isinstance(file, BytesIO):
        return len(file.getbuffer()) - file.tell()
    return os.fstat(file.fileno()).st_size


def read_bounded(file: BinaryIO, limit: int) -> bytes:
    """Return what a file holds, `limit` bytes at most; raises as `pieces`."""
    return b"".join(pieces(file, limit))


def describe(mode: int) -> str:
    """Return in words what a path is that is no regular file, by its `st_mode`."""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "no regular file")


def _open_below(root: str, path: str) -> BufferedReader:
    names = path[len(root) :].strip(os.sep).split(os.sep)  # noqa: PTH206 - as above
    return _checked(_walk(root, names)) if _WALKS and _NO_LINK else _open_checked(path)


def _walk(root: str, names: Sequence[str]) -> int:
    """Open the file that `names` lead to from a folder, one by one, none of them a link."""
    at, folder = os.path.join(root, names[0]), None  # noqa: PTH118 - a hot path, on strings
    try:
        for name in names[1:]:
            below = _open_entry(at, _FOLDER, folder)
            if folder is not None:
                os.close(folder)
            at, folder = name, below
        return _open_entry(at, _READ, folder)
    finally:
        if folder is not None:
            os.close(folder)


def _open_entry(name: str, flags: int, folder: int | None) -> int:
    """Open what a name in a folder (or a path) means, unless it is a link."""
    try:
        return os.open(name, flags | _NO_LINK, dir_fd=folder)
    except OSError:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise _LinkError from None
        if flags == _READ:
            _require_regular(status)  # no socket can be opened
        raise


def _open_checked(path: str) -> BufferedReader:
    """Open a file where folders cannot be walked (Windows): by its path, then looked at again."""
    if os.path.realpath(path) != path:
        raise _LinkError
    file = _open_named(path)
    now = os.lstat(path)
    if os.path.realpath(path) != path or not os.path.samestat(os.fstat(file.fileno()), now):
        file.close()
        raise _LinkError
    return file


def _checked(descriptor: int) -> BufferedReader:
    try:
        _require_regular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return BufferedReader(FileIO(descriptor, "rb"))


def _require_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise SpecialFileError(f"it is {describe(status.st_mode)}, not a file")


def _require_length(count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        raise LargeFileError(f"it is larger than {limit:,} bytes")


def real_roots(folders: Iterable[str | Path | None]) -> tuple[str, ...]:
    """Return the real paths of folders that the user named, each once: links to them are his."""
    return tuple(dict.fromkeys(os.path.realpath(one) for one in folders if one is not None))


def folder_roots(folder: str | Path) -> tuple[str, ...]:
    """Return the real paths of the folders in which the files of a data set's folder may lie.

    That is the folder itself. In the cache of the Hugging Face hub it consists of links from
    <cache>/datasets--<name>/snapshots/<revision> to `blobs`: there it is the whole of the former.
    """
    (real,) = real_roots([folder])
    above = (one.parent for one in Path(real, "_").parents if one.name == "snapshots")
    hub = next((one for one in above if one.name.startswith("datasets--")), None)
    return real_roots([real, hub])
