"""Fetches into the cache: tries again where that may help, and counts what was done."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from io import BufferedReader
from typing import BinaryIO, TypeVar

from ig4.core.files.opening import LargeFileError
from ig4.core.files.remote import stores, web
from ig4.core.files.remote.addresses import is_web
from ig4.core.files.remote.cache import Named, RemoteCache, remote_cache
from ig4.core.files.remote.errors import (
    RemoteFileError,
    TransientError,
    UnknownHostError,
)

T = TypeVar("T")

TRIES = 5
STORE_TRIES = 2
"""How often something is tried in all; the libraries of stores try again by themselves."""
_DEAD_HOST = 3  # files of a host that could not be reached, after which others are not asked for
_LOCKS = 64


@dataclass(slots=True)
class FetchCounts:
    """What this process fetched: files, bytes, what the cache had, and tries that were repeated.

    `unchanged` are files that servers were asked for again, and that are what they were.
    """

    files: int = 0
    bytes: int = 0
    cached: int = 0
    repeated: int = 0
    unchanged: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(
        self, *, files: int = 0, size: int = 0, cached: int = 0, repeated: int = 0,
        unchanged: int = 0,
    ) -> None:  # fmt: skip
        """Count more."""
        with self._lock:
            self.files += files
            self.bytes += size
            self.cached += cached
            self.repeated += repeated
            self.unchanged += unchanged

    def snapshot(self) -> tuple[int, int, int, int, int]:
        """Return files, bytes, cached, repeated and unchanged, as they are now."""
        with self._lock:
            return self.files, self.bytes, self.cached, self.repeated, self.unchanged


COUNTS = FetchCounts()

_locks = [threading.Lock() for _ in range(_LOCKS)]
_unreached: Counter[str] = Counter()
_opened: set[str] = set()


def tried(
    work: Callable[[], T],
    host: str | None = None,
    most: int = TRIES,
    deadline: float | None = None,
) -> T:
    """Do what fetches something, again where it may help; of a `host` that is dead, not at all.

    After the `deadline` (of time.monotonic) nothing is tried again.

    Raises:
        RemoteFileError: it did not work; says how often it was tried.
    """
    if host is not None and _unreached[host] >= _DEAD_HOST:
        raise TransientError(f"the host {host} did not answer to what was asked before")
    tries = 0
    while True:
        tries += 1
        try:
            found = work()
        except UnknownHostError:  # asked once a run: of many files each would wait for the resolver
            if host is not None:
                _unreached[host] = _DEAD_HOST
            raise
        except TransientError as error:
            wait = web.wait_seconds(error, tries)
            if tries == most or (deadline is not None and time.monotonic() + wait > deadline):
                if host is not None:
                    _unreached[host] += 1
                raise TransientError(
                    f"{error.strerror}, {'once' if tries == 1 else f'{tries} times'}"
                ) from None
            COUNTS.add(repeated=1)
            if web.wait(wait):
                raise TransientError(web.INTERRUPTED) from None
        else:
            if host is not None:
                _unreached.pop(host, None)
            return found


@contextmanager
def fetchers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Give threads to fetch in; where Ctrl-C ends the block, what they fetch is given up."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ig4-fetch")
    try:
        yield pool
    except KeyboardInterrupt:
        end_threads([pool], interrupted=True)
        raise
    finally:
        end_threads([pool])


def end_threads(pools: Sequence[ThreadPoolExecutor], *, interrupted: bool = False) -> None:
    """End threads: what they have not begun is left, and what they do is waited for.

    Where the command was `interrupted`, what they fetch is given up.
    """
    for pool in pools:  # all, before any is waited for
        pool.shutdown(wait=False, cancel_futures=True)
    with web.given_up() if interrupted else nullcontext():
        for pool in pools:
            pool.shutdown()


def fetched_image(
    address: str,
    limit: int,
    *,
    hosts: web.Hosts = "named",
    known: str | None = None,
    again: bool = False,
) -> tuple[bytes, str | None]:
    """Return the bytes of an image, and its version there; None if that is not told.

    A store is asked for the version only of what is fetched `again`: it costs a request.

    Raises:
        UnchangedFileError: it is the version `known` still: nothing was sent.
        LargeFileError: it has more than `limit` bytes.
        RemoteFileError: it cannot be had.
    """
    if is_web(address):
        request = web.WebRequest(
            address, limit, hosts, image=True, known=known if web.is_servers(known) else None,
            deadline=time.monotonic() + web.IMAGE_SECONDS,
        )  # fmt: skip
        host = web.host_of(address)[1] if hosts != "named" else None
        data, version = tried(partial(_web_bytes, request), host, deadline=request.deadline)
    else:
        data, version = tried(
            partial(_stored_bytes, address, limit, known, again), most=STORE_TRIES
        )
    if len(data) > limit:
        raise LargeFileError(f"it is larger than {limit:,} bytes")
    COUNTS.add(files=1, size=len(data))
    return data, version


def fetched_part(address: str, start: int, end: int) -> bytes:
    """Return the bytes of a file that the user named, from number `start` up to `end`.

    Raises:
        RemoteFileError: they cannot be had.
    """
    if is_web(address):
        request = web.WebRequest(
            address, end - start, start=start, end=end,
            deadline=time.monotonic() + web.IMAGE_SECONDS,
        )  # fmt: skip
        data, _ = tried(partial(_web_bytes, request), deadline=request.deadline)
    else:
        data = tried(partial(stores.read_range, address, start, end), most=STORE_TRIES)
    if len(data) != end - start:
        raise RemoteFileError("the file that it is a part of is shorter now")
    COUNTS.add(files=1, size=len(data))
    return data


def _web_bytes(request: web.WebRequest) -> tuple[bytes, str | None]:
    pieces: list[bytes] = []
    answer = web.fetch(request, pieces.append)
    return b"".join(pieces), answer.version


def _stored_bytes(
    address: str, limit: int, known: str | None, again: bool
) -> tuple[bytes, str | None]:
    """Return a file of a store, and its version if it is fetched again."""
    version = None
    if again:
        now = stores.stored_file(address)
        version = None if now is None else now.version
        if version is not None and version == known:
            raise web.UnchangedFileError("it is unchanged")
    return stores.read_range(address, 0, limit + 1), version


def open_fetched(address: str) -> BufferedReader:
    """Open a file that the user named, from the cache whatever version of it that has.

    Raises:
        RemoteFileError: it cannot be had.
    """
    with _locked(address) as cache:
        known = cache.named(address)
        file = None if known is None else cache.open(known.sha256)
        if known is None or file is None:
            return _open(cache, _fetched(cache, address, None, None))
        COUNTS.add(cached=_first_time(known.sha256))
        return file


def fetched_file(address: str, version: str | None = None, size: int | None = None) -> Named:
    """Bring a file that the user named into the cache, where that has not this `version` of it.

    A file without a version is asked for anew; of what a server says is unchanged, nothing is
    sent. `size` is what it should have.

    Raises:
        RemoteFileError: it cannot be had.
    """
    with _locked(address) as cache:
        known = cache.named(address)
        if known is not None and version is not None and version == known.version:
            return known
        told = known.version if known is not None and version is None else None
        try:
            return _fetched(cache, address, version, size, told)
        except web.UnchangedFileError:
            assert known is not None
            COUNTS.add(unchanged=1)
            return known


def open_named(address: str, named: Named) -> BufferedReader:
    """Open what an address held when it was fetched; fetched again if the cache lost it.

    Raises:
        RemoteFileError: it cannot be had, or is another file now.
    """
    with _locked(address) as cache:
        file = cache.open(named.sha256)
        if file is not None:
            COUNTS.add(cached=_first_time(named.sha256))
            return file
        again = _fetched(cache, address, named.version, None)
        if again.sha256 != named.sha256:
            raise RemoteFileError("it changed while it was read: run the command again")
        return _open(cache, again)


@contextmanager
def _locked(address: str) -> Iterator[RemoteCache]:
    """Yield the cache, for one thread at a time that wants this address."""
    with _locks[hash(address) % _LOCKS]:
        try:
            yield remote_cache()
        except RemoteFileError:
            raise
        except OSError as error:
            raise RemoteFileError(
                f"the cache {remote_cache().folder} cannot be written ({error.strerror or error}): "
                "IG4_CACHE_DIR names another folder"
            ) from None


def _fetched(
    cache: RemoteCache,
    address: str,
    version: str | None,
    size: int | None,
    known: str | None = None,
) -> Named:
    if size is not None and size > cache.limit:
        raise RemoteFileError(
            f"it has {size:,} bytes, and the cache may hold {cache.limit:,}: IG4_CACHE_GIB "
            "allows more"
        )
    found = fetch_file(cache, address, version, size, known)
    _first_time(found.sha256)
    return found


def _open(cache: RemoteCache, found: Named) -> BufferedReader:
    file = cache.open(found.sha256)
    if file is None:
        raise RemoteFileError("it was deleted from the cache while it was fetched")
    return file


def _first_time(sha256: str) -> int:
    """Return 1 when this process opens a content first, else 0: formats open files many times."""
    if sha256 in _opened:
        return 0
    _opened.add(sha256)
    return 1


def fetch_file(
    cache: RemoteCache,
    address: str,
    version: str | None,
    size: int | None,
    known: str | None = None,
) -> Named:
    """Fetch a file into the cache; a broken connection goes on where it broke, if it may.

    Raises:
        UnchangedFileError: it is the version `known` still.
        RemoteFileError: it cannot be had, or is another file than was looked at.
    """
    with cache.partial() as (path, file):
        if is_web(address):
            told = tried(_Download(cache, address, file, known, size).go_on)
            version = told.version or version
        else:
            tried(partial(stores.download, address, path), most=STORE_TRIES)
        with path.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
            count = os.fstat(whole.fileno()).st_size
        if size is not None and count != size:
            raise RemoteFileError(f"it has {count:,} bytes now, and had {size:,} a moment before")
        COUNTS.add(files=1, size=count)
        return cache.keep(address, path, Named(digest, count, version or digest))


class _Download:
    """A file on its way, which may take several tries: what came already is kept if it may be."""

    def __init__(
        self, cache: RemoteCache, address: str, file: BinaryIO, known: str | None, size: int | None
    ) -> None:
        self.cache = cache
        self.address = address
        self.file = file
        self.size = size
        self.known = known if web.is_servers(known) else None
        self.version: str | None = None

    def go_on(self) -> web.WebAnswer:
        """Fetch what is missing.

        Raises:
            RemoteFileError: as `web.fetch`.
        """
        start = self.file.tell() if _is_strong(self.version) else 0
        request = web.WebRequest(
            self.address, self.cache.limit, start=start,
            version=self.version if start else None, known=None if start else self.known,
        )  # fmt: skip
        answer = web.fetch(request, self.file.write, self._begin)
        self.file.flush()
        count = self.file.tell()
        if self.size is not None and answer.size is None and count < self.size:
            raise TransientError(f"the server sends {count:,} of {self.size:,} bytes")
        return answer

    def _begin(self, answer: web.WebAnswer) -> None:
        """Go on where the answer does, unless what came before is of another version.

        Not every server heeds the If-Range that asks for this.
        """
        is_other = answer.start > 0 and answer.version != self.version
        self.file.seek(0 if is_other else answer.start)
        self.file.truncate()
        self.version = None if is_other else answer.version
        if is_other:
            raise TransientError("it changed while it was fetched")


def _is_strong(version: str | None) -> bool:
    """Tell whether a version says that all bytes are the same: a weak one does not."""
    return version is not None and not version.startswith("W/")
