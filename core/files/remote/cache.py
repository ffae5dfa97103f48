"""A folder of what was fetched: bounded, shared by processes, and known by what it holds.

`data/` has each content under its sha256; `names/` says what an address held when it was last
fetched. The contents that were used longest ago are deleted when there are too many bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ig4.core.errors import ConfigError, UsageError
from ig4.core.files.opening import open_file, read_bounded
from ig4.core.files.writing.locks import hold_lock

FOLDER, SIZE = "IG4_CACHE_DIR", "IG4_CACHE_GIB"
DEFAULT_GIB = 20.0

_PART = ".part"
_PART_SECONDS = 86_400.0  # after which a file is what a killed process left
_USED_SECONDS = 60.0  # a content used so lately need not be marked again
_KEPT_SHARE = 0.9  # of the limit, that is left when there was too much
_CHECKED_SHARE = 1 / 50  # of the limit: after so many bytes the folder is looked through
_LONGEST_NAME = 4096


class Named(NamedTuple):
    """What an address held when it was fetched: its sha256, its bytes, and the server's version."""

    sha256: str
    size: int
    version: str | None = None


class RemoteCache:
    """The contents that were fetched, of about `limit` bytes at most."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._data, self._names = folder / "data", folder / "names"
        self._place = f"{self._data}{os.sep}"
        self._unchecked = limit  # bytes since the folder was looked through; not yet
        self._lock = threading.Lock()
        self._verified: set[tuple[str, int, int]] = set()

    def named(self, key: str) -> Named | None:
        """Return what an address held; None if it is not known, or the content is gone."""
        found = self.last(key)
        if found is None or not self._path(found.sha256).is_file():
            return None
        return found

    def last(self, key: str) -> Named | None:
        """Return what an address held when it was last fetched, be the content gone or not."""
        try:
            with open_file(self._name_path(key)) as file:
                told = json.loads(read_bounded(file, _LONGEST_NAME))
            return Named(str(told["sha256"]), int(told["size"]), told["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def open(self, sha256: str) -> BufferedReader | None:
        """Open a content, checked once in this process; None if it is not there, or damaged."""
        path = self._text(sha256)
        try:
            file = open_file(path)
        except OSError:
            return None
        status = os.fstat(file.fileno())
        known = (sha256, status.st_size, status.st_mtime_ns)
        if known not in self._verified:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                file.close()
                self.drop(sha256)
                return None
            file.seek(0)
            self._verified.add(known)
        _mark_used(path, status)
        return file

    def read(self, sha256: str, limit: int) -> bytes | None:
        """Return a content, checked; None if it is not there, or damaged.

        Raises:
            LargeFileError: it has more than `limit` bytes.
        """
        path = self._text(sha256)
        try:
            file = open_file(path)
        except OSError:
            return None
        with file:
            data = read_bounded(file, limit)
            _mark_used(path, os.fstat(file.fileno()))
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
        self.drop(sha256)
        return None

    def has(self, sha256: str) -> bool:
        """Tell whether a content is there."""
        return os.path.exists(self._text(sha256))  # noqa: PTH110 - a hot path, on strings

    def forget(self, key: str) -> None:
        """Let it be unknown what an address holds."""
        with suppress(OSError):
            self._name_path(key).unlink()

    def drop(self, sha256: str) -> None:
        """Delete a content."""
        with suppress(OSError):
            self._path(sha256).unlink()

    def put(self, key: str | None, data: bytes, version: str | None = None) -> Named:
        """Keep a content that an address held; without an address it is found by its sha256."""
        with self.partial() as (path, file):
            file.write(data)
            file.flush()
            digest = hashlib.sha256(data).hexdigest()
            return self.keep(key, path, Named(digest, len(data), version))

    @contextmanager
    def partial(self) -> Iterator[tuple[Path, BinaryIO]]:
        """Yield a file to fetch to; what `keep` does not take is deleted.

        Raises:
            OSError: it cannot be written.
        """
        _make(self._data)
        path = self._data / f"{os.getpid()}-{secrets.token_hex(8)}{_PART}"
        try:
            with path.open("xb") as file:
                yield path, file
        finally:
            with suppress(OSError):
                path.unlink()

    def keep(self, key: str | None, path: Path, found: Named) -> Named:
        """Keep a file that was fetched whole, as what an address held."""
        goal = self._path(found.sha256)
        _make(goal.parent)
        path.replace(goal)
        if key is not None:
            self.note(key, found)
        with self._lock:
            self._unchecked += found.size
            is_due = self._unchecked > self.limit * _CHECKED_SHARE
            if is_due:
                self._unchecked = 0
        if is_due:
            self.trim(spare=found.sha256)
        return found

    def note(self, key: str, found: Named) -> None:
        """Say what an address holds now."""
        path = self._name_path(key)
        _make(path.parent)
        partial = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}{_PART}")
        partial.write_text(json.dumps(found._asdict()), "utf-8")
        partial.replace(path)

    def trim(self, spare: str = "") -> None:
        """Delete what was used longest ago, until there is no more than may be; one process does.

        What was fetched just now (`spare`, a sha256) stays, however large it is. A file that
        somebody reads meanwhile stays readable until it is closed.
        """
        lock = self.folder / "lock"
        lock.touch()
        with suppress(UsageError, OSError), hold_lock(lock, "another process does it"):
            found = sorted(self._contents())
            total = sum(size for _, size, _ in found)
            if total <= self.limit:
                return
            for _, size, path in found:
                if total <= self.limit * _KEPT_SHARE:
                    return
                if spare and path.endswith(spare):
                    continue
                with suppress(OSError):
                    os.unlink(path)  # noqa: PTH108 - on strings, of many files
                    total -= size

    def _contents(self) -> Iterator[tuple[float, int, str]]:
        """Yield (time of last use, bytes, path) of each content; delete what the killed left."""
        for place, _, names in os.walk(self._data):
            for name in names:
                path = os.path.join(place, name)  # noqa: PTH118 - as above
                with suppress(OSError):
                    status = os.stat(path)  # noqa: PTH116 - as above
                    if not name.endswith(_PART):
                        yield status.st_atime, status.st_size, path
                    elif time.time() - status.st_mtime > _PART_SECONDS:
                        os.unlink(path)  # noqa: PTH108 - as above

    def _path(self, sha256: str) -> Path:
        return Path(self._text(sha256))

    def _text(self, sha256: str) -> str:
        return f"{self._place}{sha256[:2]}{os.sep}{sha256}"

    def _name_path(self, key: str) -> Path:
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return Path(f"{self._names}{os.sep}{digest[:2]}{os.sep}{digest[:40]}")


def remote_cache() -> RemoteCache:
    """Return the user's cache.

    Raises:
        ConfigError: the environment variable IG4_CACHE_GIB is no number.
    """
    return _cache_at(os.environ.get(FOLDER, ""), os.environ.get(SIZE, ""))


@lru_cache(maxsize=4)
def _cache_at(named: str, size: str) -> RemoteCache:
    try:
        limit = float(size or DEFAULT_GIB)
    except ValueError:
        limit = 0.0
    if not 0 < limit < 1e9:
        raise ConfigError(f"{SIZE}={size}: give the largest size of the cache in GiB (20)")
    if named:
        return RemoteCache(Path(named).expanduser().absolute(), int(limit * 2**30))
    asked = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(asked) if os.path.isabs(asked) else Path.home() / ".cache"  # noqa: PTH117
    return RemoteCache(home / "ig4" / "remote", int(limit * 2**30))


def _mark_used(path: str, status: os.stat_result) -> None:
    now = time.time()
    if now - status.st_atime > _USED_SECONDS:
        with suppress(OSError):
            os.utime(path, ns=(int(now * 1e9), status.st_mtime_ns))


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
