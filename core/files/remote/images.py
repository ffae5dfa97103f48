"""Images that lie elsewhere: which addresses may be read, and their bytes from cache or network."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import BinaryIO, Literal

from ig4.core.files.images.parts import byte_range, read_part
from ig4.core.files.opening import LargeFileError, RefusedFileError
from ig4.core.files.reading.parquetcells import is_cell
from ig4.core.files.remote.addresses import is_address, is_beneath, is_web
from ig4.core.files.remote.cache import remote_cache
from ig4.core.files.remote.fetching import COUNTS, fetched_image, fetched_part, open_fetched
from ig4.core.files.remote.web import Hosts, NoRangesError, UnchangedFileError

FetchPolicy = Literal["none", "public", "any"]
"""From which hosts images are fetched that records name by an address of the web."""

_POLICY = "web:"
_FEW_PARTS = 64
_parts_of: Counter[str] = Counter()
_doubted: set[str] = set()


def policy_root(policy: FetchPolicy) -> tuple[str, ...]:
    """Return what a policy is among the places that images may lie in."""
    return () if policy == "none" else (f"{_POLICY}{policy}",)


def permission(address: str, roots: Iterable[str] | None) -> Hosts | None:
    """Return which hosts may be asked for an image, None if it may not be fetched.

    Without `roots` the user named the address itself.
    """
    if roots is None:
        return "named"
    places = list(roots)
    if any(is_address(root) and is_beneath(address, root) for root in places):
        return "named"
    if not is_web(address):
        return None
    if f"{_POLICY}any" in places:
        return "any"
    return "public" if f"{_POLICY}public" in places else None


def open_remote_image(
    address: str, roots: Sequence[str] | None, part: str | None, limit: int
) -> BinaryIO:
    """Open an image at an address, or the `part` of the file there that it is.

    Raises:
        RefusedFileError: it may not be fetched.
        LargeFileError: it has more than `limit` bytes.
        RemoteFileError: it cannot be had.
    """
    allowed = permission(address, roots)
    if allowed is None:
        raise RefusedFileError(
            "its address is in no place that may be read from: see --image-root and --fetch-images"
        )
    if part is not None:
        return io.BytesIO(_part_bytes(address, part, limit))
    return io.BytesIO(_image_bytes(address, allowed, limit))


def _image_bytes(address: str, hosts: Hosts, limit: int) -> bytes:
    """Return an image from the cache; where that has none, or is doubted, from its server."""
    cache = remote_cache()
    known = cache.last(address)
    kept = None if known is None else cache.read(known.sha256, limit)
    if kept is not None and address not in _doubted:
        COUNTS.add(cached=1)
        return kept
    again = address in _doubted
    _doubted.discard(address)
    version = known.version if known is not None and kept is not None else None
    try:
        data, told = fetched_image(address, limit, hosts=hosts, known=version, again=again)
    except UnchangedFileError:
        assert kept is not None
        COUNTS.add(unchanged=1)
        return kept
    except OSError:
        cache.forget(address)
        raise
    _keep(address, data, told)
    return data


def _keep(key: str | None, data: bytes, version: str | None = None) -> None:
    """Keep what was fetched; where that is not possible, it is fetched again when it is read.

    A part of a file (None) is known by its sha256 alone: at its place there is another one once the
    file changes, and nothing in the answer of a server says that it did.
    """
    with suppress(OSError):
        remote_cache().put(key, data, version)


def _part_bytes(address: str, part: str, limit: int) -> bytes:
    """Return the bytes of a part of a file: of the whole file where the cache has that.

    After some parts of a file all of it is fetched: many small requests take longer.
    """
    if is_cell(part):
        with open_fetched(address) as file:
            return read_part(file, part, limit)
    wanted = byte_range(part)
    if wanted.length > limit:
        raise LargeFileError(f"it is larger than {limit:,} bytes")
    if wanted.length == 0:
        return b""
    cache = remote_cache()
    _parts_of[address] += 1
    if cache.named(address) is None and _parts_of[address] <= _FEW_PARTS:
        with suppress(NoRangesError):
            data = fetched_part(address, wanted.offset, wanted.end)
            _keep(None, data)
            return data
    with open_fetched(address) as file:
        return read_part(file, part, limit)


def is_kept(address: str, part: str | None, sha256: str) -> bool:
    """Tell whether the cache has an image, or the file that it is a part of."""
    cache = remote_cache()
    return cache.has(sha256) or (part is not None and cache.named(address) is not None)


def fetch_ahead(
    address: str, roots: Sequence[str] | None, part: str | None, sha256: str, limit: int
) -> None:
    """Bring an image into the cache, if it is not there: who reads it next need not wait.

    What goes wrong is told when it is read.
    """
    if is_kept(address, part, sha256):
        return
    with suppress(OSError, ValueError):
        open_remote_image(address, roots, part, limit).close()


def kept_image(sha256: str, limit: int) -> bytes | None:
    """Return the bytes of an image from the cache, checked; None if it has to be fetched."""
    found = remote_cache().read(sha256, limit)
    if found is not None:
        COUNTS.add(cached=1)
    return found


def doubt(address: str) -> None:
    """Let the next reading ask the server for an image again, whatever the cache has of it."""
    _doubted.add(address)


def last_sha256(address: str) -> str | None:
    """Return the sha256 of what an address held when it was last fetched; None if unknown."""
    found = remote_cache().last(address)
    return None if found is None else found.sha256


def last_state(address: str) -> int | None:
    """Return what tells a file with many images, as it was last fetched, from an earlier one.

    It is no larger than the times of files, whose place it has in the database.
    """
    found = last_sha256(address)
    return None if found is None else int(found[:15], 16)
