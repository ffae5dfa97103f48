"""Reads image files as bytes: regular files of bounded size, in the folders allowed."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ig4.core.errors import ConfigError
from ig4.core.files.images.decode import ImageError
from ig4.core.files.images.parts import read_part
from ig4.core.files.opening import (
    LargeFileError,
    OutsideFileError,
    open_beneath,
    open_file,
    pieces,
    read_bounded,
)
from ig4.core.files.remote.addresses import is_address
from ig4.core.files.remote.errors import DeniedFileError, LargeRemoteFileError, TransientError
from ig4.core.files.remote.guard import PrivateAddressError

DEFAULT_LIMIT = 256
"""Mebibytes that one image file may have, unless the environment variable LIMIT says otherwise."""

LIMIT = "IG4_MAX_IMAGE_MIB"

_POSTPONED = (
    TransientError, DeniedFileError, PrivateAddressError, LargeFileError, LargeRemoteFileError,
)  # fmt: skip


class PostponedImageError(ImageError):
    """An image cannot be read now: at another time, or with other settings, it may be."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What a file held: the sha256, in hex digits, of the `count` bytes that were read.

    `size` (bytes) and `mtime_ns` are those of the file before: if it changes meanwhile, they are
    not its own any more. The time of a part of a file, and of what was fetched, is 0.
    """

    sha256: str
    count: int
    size: int
    mtime_ns: int


def byte_limit() -> int:
    """Return how many bytes one image file may have.

    Raises:
        ConfigError: the environment variable IG4_MAX_IMAGE_MIB is no number.
    """
    text = os.environ.get(LIMIT) or str(DEFAULT_LIMIT)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1 << 40:
        raise ConfigError(f"{LIMIT}={text}: give the largest size of an image file in MiB (256)")
    return int(text) << 20


@contextmanager
def open_image(
    path: str | Path,
    roots: Sequence[str] | None,
    name: str,
    part: str | None = None,
) -> Iterator[BinaryIO]:
    """Open an image file below one of `roots`; with None it is one that the user named.

    `path` may be an address, and the image a `part` of the file. Also for the block inside: what
    goes wrong with the file there is told in the same words.

    Raises:
        ImageError: it is missing, no regular file, too large, or not in these folders; the message
            calls it `name`. PostponedImageError if it may be had later.
    """
    try:
        with _opened(path, roots, part) as file:
            yield file
    except (OSError, ValueError) as error:
        kind = PostponedImageError if isinstance(error, _POSTPONED) else ImageError
        raise kind(f"{name}: {_reason(error)}") from None


def _opened(path: str | Path, roots: Sequence[str] | None, part: str | None) -> BinaryIO:
    if isinstance(path, str) and is_address(path):
        from ig4.core.files.remote.images import open_remote_image

        return open_remote_image(path, roots, part, byte_limit())
    file = open_file(path) if roots is None else open_beneath(path, roots)
    if part is None:
        return file
    with file:
        return io.BytesIO(read_part(file, part, byte_limit()))


def read_image(
    path: str | Path,
    roots: Sequence[str] | None,
    name: str,
    sha256: str | None = None,
    part: str | None = None,
) -> bytes:
    """Return the bytes of an image file, if it still holds what it was ingested with.

    Raises:
        ImageError: as `open_image`; or it is empty, or its sha256 is not the one given.
    """
    limit = byte_limit()
    if sha256 is not None and isinstance(path, str) and is_address(path):
        from ig4.core.files.remote.images import kept_image

        kept = kept_image(sha256, limit)
        if kept is not None:
            return kept
    with open_image(path, roots, name, part) as file:
        data = read_bounded(file, limit)
    if not data:
        raise ImageError(f"{name}: the image file is empty")
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise changed_error(name)
    return data


def read_ahead(path: str, roots: Sequence[str] | None, sha256: str, part: str | None) -> None:
    """Fetch an image that lies elsewhere, so that reading it does not wait for its server."""
    from ig4.core.files.remote.images import fetch_ahead

    fetch_ahead(path, roots, part, sha256, byte_limit())


def changed_error(name: str) -> ImageError:
    """Return the error for an image whose bytes are not those that were ingested."""
    return ImageError(f"{name}: the image changed since it was ingested: run `ig4 ingest` again")


def digest(file: BinaryIO) -> FileDigest:
    """Return the digest of an open image file, read in pieces.

    Raises:
        LargeFileError: it is larger than the limit.
        OSError: it cannot be read.
    """
    if isinstance(file, io.BytesIO):
        data = file.getvalue()
        return FileDigest(hashlib.sha256(data).hexdigest(), len(data), len(data), 0)
    status = os.fstat(file.fileno())
    state, count = hashlib.sha256(), 0
    for piece in pieces(file, byte_limit()):
        state.update(piece)
        count += len(piece)
    return FileDigest(state.hexdigest(), count, status.st_size, status.st_mtime_ns)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the image file is missing"
    if isinstance(error, IsADirectoryError):
        return "the image cannot be read (it is a folder, not a file)"
    if isinstance(error, OutsideFileError):
        return (
            "the image is a link that leaves the data set's folder: allow the folder it leads to "
            "with --image-root"
        )
    reason = getattr(error, "strerror", None) or error
    is_large = isinstance(error, LargeFileError | LargeRemoteFileError)
    remedy = f": {LIMIT} allows more" if is_large else ""
    return f"the image cannot be read ({reason}{remedy})"
