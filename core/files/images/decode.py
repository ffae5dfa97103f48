"""Decodes images of a data set; none of them is trusted."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ig4.core.files.images.decoding import picture
from ig4.core.files.images.decoding.kinds import HEAD, image_format
from ig4.core.files.images.decoding.memory import MEMORY
from ig4.core.files.images.decoding.picture import FORMATS, MAX_PIXELS, ImageError
from ig4.core.files.images.decoding.processes import PROCESSES, DecoderUnavailableError
from ig4.core.files.images.decoding.resizing import (
    MAX_RESIZED_PIXELS,
    ImageShapeError,
    require_resizable,
    require_square,
)

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "MAX_RESIZED_PIXELS",
    "ImageError",
    "ImageShapeError",
    "decode",
    "inspect",
    "measure",
    "require_resizable",
    "require_square",
]

ISOLATE = "IG4_ISOLATE_IMAGES"
"""Set to 1, this environment variable lets processes of their own decode all images."""

# Decoded in threads: kinds that nearly all images are of, whose decoders are under constant attack
# by others, at sizes that memory has room for. The rest goes to a process with limits.
_ORDINARY = {"BMP", "GIF", "JPEG", "PNG", "WEBP"}
_ORDINARY_PIXELS = 1 << 26
_ORDINARY_SCANS = 100  # of a progressive JPEG, which has ten; each can take as long as the first
_JPEG_SCAN = b"\xff\xda"

_TAIL = 1 << 16
_JPEG_END, _PNG_END, _GIF_END = b"\xff\xd9", b"IEND", b";"
_BYTES_PER_PIXEL = 8  # of pixels that a process sends: one band and the whole


def decode(source: Path | BinaryIO, name: str | None = None) -> Picture:
    """Return the first frame of an image as RGB, its EXIF orientation left as stored.

    Alpha is dropped, 16-bit grey is scaled to 8 bits, CMYK is converted; a file's ending need not
    match its contents. Messages call the image `name`, by default that of its file.

    Raises:
        ImageError: missing, empty, truncated, not an image, or over MAX_PIXELS; or it took too
            much memory or time.
    """
    name = name or (source.name if isinstance(source, Path) else "the image")
    with _explained(name):
        data = _content(source)
        if not _isolated(data[:HEAD]) and not _has_many_scans(data):
            with picture.opened(io.BytesIO(data)) as image:
                if image.width * image.height <= _ORDINARY_PIXELS:
                    with MEMORY.taken(picture.needed_bytes(image)):
                        return picture.rgb(image)
        return _decode_isolated(data)


def inspect(source: BinaryIO, name: str) -> tuple[int, int, str]:
    """Return width, height and format of an image; of one that seems cut off, decode all.

    Raises:
        ImageError: as `decode`; a damage behind the header need not be seen.
    """
    with _explained(name):
        found = _shape(source)
        if _seems_cut(source, found[2].upper()):
            source.seek(0)
            decode(source, name)
        return found


def measure(source: Path | BinaryIO) -> tuple[int, int, str] | None:
    """Return width, height and format from an image's header, or None if it is not one."""
    try:
        with _explained("the image"):
            if not isinstance(source, Path):
                return _shape(source)
            with source.open("rb") as file:
                return _shape(file)
    except ImageError:
        return None


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Say in an error of which image it is; let nothing but ImageError out."""
    try:
        yield
    except ImageError as error:
        text = str(error)
        raise ImageError(text if text.startswith(f"{name}: ") else f"{name}: {text}") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: the image file is missing") from None
    except MemoryError:
        raise ImageError(f"{name}: the image cannot be decoded (memory ran out)") from None
    except OSError as error:
        reason = error.strerror or error
        raise ImageError(f"{name}: the image cannot be read ({reason})") from None


def _content(source: Path | BinaryIO) -> bytes:
    return source.read_bytes() if isinstance(source, Path) else source.read()


def _isolated(head: bytes) -> bool:
    """Tell whether a process with limits has to decode what begins so."""
    found = image_format(head)
    # What is no image is not worth a process: its kind is found without a decoder.
    return found is not None and (found not in _ORDINARY or os.environ.get(ISOLATE) == "1")


def _has_many_scans(data: bytes) -> bool:
    return image_format(data[:HEAD]) == "JPEG" and data.count(_JPEG_SCAN) > _ORDINARY_SCANS


def _shape(source: BinaryIO) -> tuple[int, int, str]:
    head = source.read(HEAD)
    source.seek(0)
    if _isolated(head):
        data = source.read()
        with suppress(DecoderUnavailableError):
            return PROCESSES.measure(data)
        source = io.BytesIO(data)
    with picture.opened(source) as image:
        return picture.shape(image)


def _decode_isolated(data: bytes) -> Picture:
    try:
        width, height, _ = PROCESSES.measure(data)
        with MEMORY.taken(width * height * _BYTES_PER_PIXEL):
            return PROCESSES.decode(data)
    except DecoderUnavailableError:
        with picture.opened(io.BytesIO(data)) as image, MEMORY.taken(picture.needed_bytes(image)):
            return picture.rgb(image)


def _seems_cut(source: BinaryIO, kind: str) -> bool:
    """Tell whether the end of an image is not where its format has it; it may be whole still."""
    size = source.seek(0, io.SEEK_END)
    source.seek(max(0, size - _TAIL))
    tail = source.read(_TAIL)
    if kind == "WEBP":
        source.seek(4)
        return int.from_bytes(source.read(4), "little") + 8 > size
    if kind == "JPEG":  # a thumbnail has an end of its own
        return tail.rfind(_JPEG_END) <= tail.rfind(_JPEG_SCAN)
    if kind == "PNG":
        return _PNG_END not in tail
    return kind == "GIF" and not tail.rstrip(b"\0").endswith(_GIF_END)
