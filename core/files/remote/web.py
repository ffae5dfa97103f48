"""Fetches files over HTTP: bounded in bytes and time, each hop of a redirect checked.

All requests of a process share connections, in one thread with an event loop (fsspec's).
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import os
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import quote, unquote, urljoin, urlsplit

from ig4.core.errors import MissingExtraError
from ig4.core.files.images.decoding.kinds import HEAD, image_format
from ig4.core.files.remote.addresses import is_web
from ig4.core.files.remote.codings import Unpacking
from ig4.core.files.remote.credentials import with_secrets
from ig4.core.files.remote.errors import (
    DeniedFileError,
    LargeRemoteFileError,
    RemoteFileError,
    TransientError,
    UnknownHostError,
)
from ig4.core.files.remote.guard import PrivateAddressError, public_socket
from ig4.core.version import __version__

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_DENIED = (401, 403, 407)
_WORDS = {
    400: "bad request", 401: "it wants credentials", 403: "forbidden", 404: "not found",
    410: "gone", 429: "too many requests", 500: "a fault of its own", 502: "bad gateway",
    503: "it is overloaded", 504: "gateway timeout",
}  # fmt: skip
_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 30.0
IMAGE_SECONDS = 120.0  # for all of one image: redirects, tries, and slow servers
_LONGEST_WAIT = 30.0
_CONNECTIONS = 64
_PER_HOST = 32
_PIECE = 1 << 16
_ANY = "application/octet-stream"
_CLOSING_SECONDS = 2.0
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


Hosts: TypeAlias = Literal["public", "named", "any"]
"""Which hosts a request may lead to."""


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What to fetch: an address, at most `limit` bytes of it, or its bytes from `start` to `end`.

    `hosts` says which may be asked: with "public", for what data named, every hop has to lead to a
    public one; with "named", for what the user named, those of redirects have to. An `image`
    has to be one by its first bytes or by what the server says. With `end`, a server that sends
    something else than these bytes is refused. `version` is what has to be there still. Of what is
    still the version `known`, nothing is sent. At the `deadline` (of time.monotonic) it is given
    up.
    """

    address: str
    limit: int | None = None
    hosts: Hosts = "named"
    image: bool = False
    start: int = 0
    end: int | None = None
    version: str | None = None
    known: str | None = None
    deadline: float | None = None


class UnchangedFileError(RemoteFileError):
    """A file is what it was: the server sends nothing."""


class _UnsureError(RemoteFileError):
    """A server says that a file is no newer than a date: it may be an older one."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What a server said of a file: its size and version, None where it told none.

    `start` is the number of the first byte that it sent.
    """

    size: int | None
    version: str | None
    start: int = 0


def fetch(
    request: WebRequest,
    take: Callable[[bytes], object],
    begin: Callable[[WebAnswer], object] | None = None,
) -> WebAnswer:
    """Fetch a file once, giving its bytes to `take` as they come, after `begin` got its head.

    Raises:
        UnchangedFileError: it is still the version that the request knows.
        RemoteFileError: it cannot be had; TransientError if another try may help.
        MissingExtraError: the libraries of the extra are missing.
    """
    try:
        answer: WebAnswer = _run(_fetch(request, take, begin))
    except _UnsureError:
        answer = _run(_fetch(replace(request, known=None), take, begin))
    return answer


def head(address: str) -> WebAnswer:
    """Ask for size and version of a file that the user named; raises as `fetch`."""
    answer: WebAnswer = _run(_head(address))
    return answer


def _run(coroutine: Any, timeout: float | None = None) -> Any:
    try:
        from fsspec.asyn import get_loop, sync
    except ImportError:
        coroutine.close()
        raise missing() from None
    return sync(get_loop(), _alone, coroutine, timeout=timeout)


INTERRUPTED = "the command was interrupted"

_asking: set[asyncio.Task[Any]] = set()  # for the thread of the loop alone
_given_up = threading.Event()


async def _alone(coroutine: Any) -> Any:
    if _given_up.is_set():
        coroutine.close()
        raise RemoteFileError(INTERRUPTED)
    task = asyncio.current_task()
    assert task is not None
    _asking.add(task)
    try:
        return await coroutine
    except asyncio.CancelledError:
        raise RemoteFileError(INTERRUPTED) from None
    finally:
        _asking.discard(task)


@contextmanager
def given_up() -> Iterator[None]:
    """End all requests that are on their way, and let none begin, while the block runs.

    Who waits for one gets a RemoteFileError.
    """
    _given_up.set()
    if "fsspec.asyn" in sys.modules:  # else there was never a request
        from fsspec.asyn import get_loop

        get_loop().call_soon_threadsafe(_cancel_all)
    try:
        yield
    finally:
        _given_up.clear()


def _cancel_all() -> None:
    for task in _asking:
        task.cancel()


def wait(seconds: float) -> bool:
    """Wait before another try; tells at once where all are given up."""
    return _given_up.wait(seconds)


def missing(what: str = "fsspec and aiohttp") -> MissingExtraError:
    """Return the error for libraries that are not installed."""
    return MissingExtraError(
        f"data that lies elsewhere is read with {what}, which are not installed: "
        'pip install "ig4[remote]"'
    )


async def _fetch(
    request: WebRequest,
    take: Callable[[bytes], object],
    begin: Callable[[WebAnswer], object] | None,
) -> WebAnswer:
    async with _answered("GET", request) as answer:
        start, total = _require_range(request, answer)
        length = answer.content_length
        if request.limit is not None and (length or 0) > request.limit:
            raise LargeRemoteFileError(f"it is larger than {request.limit:,} bytes")
        whole = length if start == 0 and request.end is None else None
        told = WebAnswer(whole, version_of(answer.headers), start)
        if begin is not None:
            begin(told)
        count = 0
        coding = answer.headers.get("Content-Encoding", "") if request.image else ""
        unpacking = Unpacking(coding, request.limit)
        async for packed in answer.content.iter_chunked(_PIECE):
            piece = unpacking.unpack(packed)
            if count == 0 and piece and request.image:
                _require_image(answer, piece)
            count += len(piece)
            if request.limit is not None and count > request.limit:
                raise LargeRemoteFileError(f"it is larger than {request.limit:,} bytes")
            _take(take, piece)
        unpacking.end()
        if request.end is None and total is not None and start + count < total:
            raise TransientError(f"the server sends {start + count:,} of {total:,} bytes")
        return told


def _take(take: Callable[[bytes], object], piece: bytes) -> None:
    try:
        take(piece)
    except OSError as error:  # no fault of the server
        raise RemoteFileError(f"it cannot be kept ({error.strerror or error})") from None


async def _head(address: str) -> WebAnswer:
    async with _answered("HEAD", WebRequest(address)) as answer:
        length = answer.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdigit() else None
        return WebAnswer(size, version_of(answer.headers))


def version_of(headers: Any) -> str | None:
    """Return what tells this content from an earlier one at its address, or None."""
    version: str | None = headers.get("ETag") or headers.get("Last-Modified")
    return version


def _require_range(request: WebRequest, answer: aiohttp.ClientResponse) -> tuple[int, int | None]:
    """Return the number of the first byte of an answer, and how many the whole file has, if told.

    Raises:
        NoRangesError: the server sends the whole file in the place of a part.
        RemoteFileError: it sends other bytes than were asked for.
    """
    if answer.status == 206:
        given, _, total = answer.headers.get("Content-Range", "").partition(" ")[2].partition("/")
        if given.partition("-")[0] == str(request.start):
            return request.start, int(total) if total.isascii() and total.isdigit() else None
        raise RemoteFileError("the server sends other bytes than were asked for")
    if request.end is not None:
        raise NoRangesError("the server sends no parts of files")
    return 0, None


class NoRangesError(RemoteFileError):
    """A server knows no ranges: only whole files can be had."""


def _require_image(answer: aiohttp.ClientResponse, piece: bytes) -> None:
    kind = answer.content_type
    is_other = kind.split("/")[0] in ("text", "application") and kind != _ANY
    if is_other and image_format(piece[:HEAD]) is None:
        raise RemoteFileError(f"the server sends {kind}, which is no image")


@asynccontextmanager
async def _answered(method: str, request: WebRequest) -> AsyncIterator[aiohttp.ClientResponse]:
    """Yield the answer that an address leads to, what went wrong told in our words."""
    try:
        import aiohttp
    except ImportError:
        raise missing("aiohttp") from None
    timeout = aiohttp.ClientTimeout(
        total=None, connect=None, sock_connect=_CONNECT_SECONDS, sock_read=_IDLE_SECONDS
    )
    until = None if request.deadline is None else request.deadline - time.monotonic()
    try:
        async with asyncio.timeout(until), _following(method, request, timeout) as answer:
            _require_success(answer, request)
            yield answer
    except RemoteFileError:
        raise
    except (TimeoutError, aiohttp.ServerTimeoutError):
        raise TransientError("the server is too slow") from None
    except ValueError as error:  # also of aiohttp: a port, a host, or where a redirect leads to
        if isinstance(error, aiohttp.ClientError) and not isinstance(error, aiohttp.InvalidURL):
            raise TransientError("the connection broke") from None
        raise RemoteFileError("it is, or leads to, no valid address") from None
    except aiohttp.ClientConnectorDNSError:
        raise UnknownHostError("its host is not known") from None
    except aiohttp.ClientConnectorCertificateError:
        raise RemoteFileError("its host has no valid certificate") from None
    except aiohttp.ClientConnectorError as error:
        private = _private(error)
        if private is not None and request.hosts == "named":
            raise RemoteFileError(
                "it leads on to another host, whose address is not public: name the address that "
                "it leads to"
            ) from None
        if private is not None:
            raise private from None
        reason = error.os_error.strerror or "no connection"
        raise TransientError(f"its host cannot be reached ({reason})") from None
    except (aiohttp.ClientError, OSError):
        raise TransientError("the connection broke") from None


def _private(error: BaseException | None) -> PrivateAddressError | None:
    """Return the refusal that a failed connection stands for, if it is one."""
    while error is not None:
        if isinstance(error, PrivateAddressError):
            return error
        if "is not public" in str(error):
            return PrivateAddressError(
                "its host has an address that is not public: allow that with --fetch-images any"
            )
        error = getattr(error, "os_error", None) or error.__cause__
    return None


@asynccontextmanager
async def _following(
    method: str, request: WebRequest, timeout: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    first, user = with_secrets(request.address)
    address = first
    for _ in range(_HOPS + 1):
        is_first = host_of(address) == host_of(first)
        guarded = request.hosts == "public" or (request.hosts == "named" and not is_first)
        session = await _session(guarded=guarded, named=request.hosts == "named" and is_first)
        headers = _headers(request)
        if user is not None and is_first:
            headers["Authorization"] = _basic(user)
        async with session.request(
            method, _url(address), headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            onward = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or onward is None:
                yield answer
                return
            address = urljoin(address, onward)
        if not is_web(address):
            raise RemoteFileError("it leads to an address that is none of the web")
    raise RemoteFileError(f"it leads on more than {_HOPS} times")


def _url(address: str) -> URL:
    """Return an address as it is asked for: what is encoded already stays as data writes it.

    Raises:
        ValueError: it is no valid one.
    """
    from yarl import URL

    parts = urlsplit(address)
    host = URL(f"{parts.scheme}://{parts.netloc}")  # whose name may have letters beyond ASCII
    path = quote(_PERCENT.sub("%25", parts.path or "/"), safe="%/:@!$&'()*+,;=~")
    query = quote(_PERCENT.sub("%25", parts.query), safe="%/:@!$&'()*+,;=~?[]")
    text = f"{parts.scheme}://{host.raw_authority}{path}"
    return URL(f"{text}?{query}" if query else text, encoded=True)


def host_of(address: str) -> tuple[str, str]:
    """Return scheme and host of an address, the host with its port.

    Raises:
        ValueError: it is no valid one.
    """
    parts = urlsplit(address)
    return parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower()


def _headers(request: WebRequest) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if request.end is not None:
        headers["Range"] = f"bytes={request.start}-{request.end - 1}"
    elif request.start:
        headers["Range"] = f"bytes={request.start}-"
    if request.version is not None and "Range" in headers:
        headers["If-Range"] = request.version
    if request.known is not None and "Range" not in headers:
        header = "If-None-Match" if _is_tag(request.known) else "If-Modified-Since"
        headers[header] = request.known
    return headers


def _is_tag(version: str) -> bool:
    """Tell whether a version that a server told is an ETag; else it is a time."""
    return version.endswith('"')


def is_servers(version: str | None) -> bool:
    """Tell whether a version is one that a server told, an ETag or a time, and can be asked for."""
    return version is not None and version.isprintable() and version.endswith(('"', "GMT"))


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(unquote(user).encode()).decode("ascii")


def _require_success(answer: aiohttp.ClientResponse, request: WebRequest) -> None:
    status, known = answer.status, request.known
    if status == 304 and known is not None:
        if not _is_tag(known) and answer.headers.get("Last-Modified") != known:
            raise _UnsureError("it is no newer")
        raise UnchangedFileError("it is unchanged")
    if status in (200, 206):
        return
    told = f"the server answers {status}" + (f" ({_WORDS[status]})" if status in _WORDS else "")
    if status in _TRANSIENT:
        raise TransientError(told, _retry_after(answer.headers.get("Retry-After", "")))
    if status in _DENIED and request.hosts == "named":
        raise DeniedFileError(told)
    raise RemoteFileError(told)


def _retry_after(text: str) -> float:
    return min(float(text), _LONGEST_WAIT) if text.isascii() and text.isdigit() else 0.0


_sessions: dict[tuple[int, int, bool, bool], Any] = {}


async def _session(*, guarded: bool, named: bool) -> aiohttp.ClientSession:
    """Return the session of this process and loop; a guarded one connects to public hosts alone.

    What the user named is asked for with the proxies of the environment, and with ~/.netrc: hosts
    that data names get no password.
    """
    import aiohttp

    key = (os.getpid(), id(asyncio.get_running_loop()), guarded, named)
    known = _sessions.get(key)
    if known is not None:
        return known  # type: ignore[no-any-return]
    connector = aiohttp.TCPConnector(
        limit=_CONNECTIONS,
        limit_per_host=_PER_HOST,
        ttl_dns_cache=300,
        socket_factory=public_socket if guarded else None,
    )
    session = aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=named,
        headers={"User-Agent": f"ig4/{__version__}"},
    )
    _sessions[key] = session
    return session


@atexit.register
def close_sessions() -> None:
    """Close the connections of this process; later requests open others."""
    mine = [key for key in _sessions if key[0] == os.getpid()]
    for key in mine:
        session = _sessions.pop(key)
        with suppress(Exception):
            _run(session.close(), _CLOSING_SECONDS)


def wait_seconds(error: TransientError, tries: int) -> float:
    """Return how long to wait before the next of several tries: longer each time, not all alike."""
    spread = 0.5 + (time.monotonic_ns() % 1000) / 1000
    return max(error.after, min(8.0, 0.2 * 2.0**tries) * spread)
