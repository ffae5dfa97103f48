"""Reads what the image field of a record may say: every way in which data sets name images."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import warnings
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote, unquote_to_bytes

from ig4.core.records import JSON, ImagePart

ImageRef: TypeAlias = str | bytes | ImagePart
"""An image as a path, as the data set writes it, as its bytes, or as a part of a file."""

BYTES_KEYS = ("bytes", "base64", "b64_json", "data")
"""The keys under which an object holds an image's bytes, as bytes, base64 or a list of numbers."""
NAME_KEYS = (
    "path", "file_name", "filename", "image_path", "img_path", "file_path", "file", "url",
    "image_url", "image", "img", "images", "source", "src", "uri", "value",
)  # fmt: skip
"""The keys under which an object names an image, by priority."""

IMAGE_KEYS = frozenset([*BYTES_KEYS, *NAME_KEYS, "$image", "$base64"])
"""All keys under which an object may hold or name an image."""

_MAX_DEPTH = 16
_MAX_PATH = 1024  # bytes; systems take 4,096, and a database cannot index much more than this
_SHOWN = 40
# Bounded, so that no text can make the search take the square of its length.
_TAG = re.compile(
    r"""<img>([^<]*)</img>"""
    r"""|<img\s[^<>]{0,500}?\bsrc\s{0,9}=\s{0,9}["']([^"'<>]*)["'][^<>]{0,500}>""",
    re.IGNORECASE,
)
_DRIVE = re.compile(r"/?[A-Za-z]:[\\/]")
_REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# How files of the usual formats begin, in base64: JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF and HEIC.
_BEGINNINGS = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR", "Qk", "SUkqA", "TU0AK", "AAAA")
_SHORTEST = 64  # characters: no image is shorter, and many a path is
_unusual = re.compile(r"[\\:< \n\t]").search  # in a path
_WHITE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ImageField:
    """The images that a field names, in order, and why others of it cannot be read."""

    refs: tuple[ImageRef, ...] = ()
    problem: str | None = None


NO_IMAGES = ImageField()


class _UnreadableError(ValueError):
    """A value that names no image; the text says what it is."""


def read_images(value: JSON, embedded: Sequence[ImageRef] = ()) -> ImageField:
    """Return the images of a field: a path or URL, bytes, base64, an object, or a list of these.

    Paths lose `file://` and get "/" for "\\"; data URLs and base64 become bytes. `embedded` holds
    the images that {"$image": n} stands for. What names no image leaves the others as they are.
    """
    if isinstance(value, str) and 0 < len(value) < _SHORTEST and value.isascii():
        if not _unusual(value):
            return ImageField((value,))  # a plain path, as nearly all are
    elif value is None:
        return NO_IMAGES
    refs: list[ImageRef] = []
    try:
        _collect(value, refs, embedded, 0)
    except _UnreadableError as error:
        return ImageField(tuple(refs), str(error))
    return ImageField(tuple(refs))


def read_cell(value: JSON) -> ImageField:
    """Return the images of a table's cell, where a list or an object may stand as text."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        parsed = _parsed(value)
        if isinstance(parsed, (list, dict)):
            return read_images(parsed)
    return read_images(value)


def split_tags(text: str) -> list[str | ImageField]:
    """Return a text cut at its `<img>path</img>` and `<img src="path">` tags, with their images.

    A tag that names nothing stays text.
    """
    pieces: list[str | ImageField] = []
    at = 0
    for found in _TAG.finditer(text):
        name = (found[1] if found[1] is not None else found[2]).strip()
        if not name:
            continue
        pieces += [text[at : found.start()], read_images(name)]
        at = found.end()
    return [*pieces, text[at:]]


def has_tags(text: str) -> bool:
    """Return whether a text may hold `<img>` tags."""
    return "<img" in text or "<IMG" in text or "<Img" in text


def shown(value: object, longest: int = _SHOWN) -> str:
    """Return a value of a data set as a message may show it: short, on one line."""
    text = repr(value[: longest + 1] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= longest + 2 else f"{text[:longest]}…"


def _collect(value: JSON, refs: list[ImageRef], embedded: Sequence[ImageRef], depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise _UnreadableError("an image field is nested too deeply")
    if isinstance(value, bytes):
        if value:
            refs.append(value)
    elif isinstance(value, str):
        if value.strip():
            refs.append(_from_text(value))
    elif isinstance(value, (list, tuple)):
        _collect_all(value, refs, embedded, depth)
    elif isinstance(value, Mapping):
        _collect_object(value, refs, embedded, depth)
    elif not _is_nothing(value):
        raise _UnreadableError(f"an image field holds {shown(value)}, which names no image")


def _collect_all(
    values: Sequence[JSON], refs: list[ImageRef], embedded: Sequence[ImageRef], depth: int
) -> None:
    problem: _UnreadableError | None = None
    empty: int | None = None  # the first that names nothing; at the end of a list it is padding
    for place, item in enumerate(values, start=1):
        before = len(refs)
        try:
            _collect(item, refs, embedded, depth + 1)
        except _UnreadableError as error:  # the others are read all the same
            problem = problem or error
            continue
        if len(refs) == before:
            empty = empty or place
        elif empty is not None:
            problem = problem or _UnreadableError(
                f"image {empty} of a list of {len(values)} is empty, and others come after it"
            )
    if problem is not None:
        raise problem


def _collect_object(
    value: Mapping[str, JSON], refs: list[ImageRef], embedded: Sequence[ImageRef], depth: int
) -> None:
    place = value.get("$image")
    if isinstance(place, int) and 0 <= place < len(embedded):
        refs.append(embedded[place])
        return
    if isinstance(value.get("$base64"), str):
        refs.append(_decoded(value["$base64"]))
        return
    held = next((value[key] for key in BYTES_KEYS if not _is_empty(value.get(key))), None)
    if held is not None:
        refs.append(_bytes(held, embedded))
        return
    named = next((value[key] for key in NAME_KEYS if not _is_empty(value.get(key))), None)
    if named is not None:
        _collect(named, refs, embedded, depth + 1)
    elif not any(key in value for key in (*BYTES_KEYS, *NAME_KEYS)) and value:
        keys = ", ".join(shown(key) for key in list(value)[:4])
        raise _UnreadableError(f"an image is an object whose keys ({keys}) name no image")


def _bytes(value: JSON, embedded: Sequence[ImageRef]) -> ImageRef:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return _from_data_url(value) if value.startswith("data:") else _decoded(value)
    if isinstance(value, Mapping) and value:
        inner: list[ImageRef] = []
        _collect(value, inner, embedded, _MAX_DEPTH - 1)
        if len(inner) == 1:
            return inner[0]
    if isinstance(value, list):
        try:
            return bytes(value)
        except (TypeError, ValueError):
            pass
    raise _UnreadableError(f"the bytes of an image are {shown(value)}, which cannot be decoded")


def _from_text(text: str) -> ImageRef:
    name = text.strip() if "\n" in text else text
    if name[:5].lower() == "data:":
        return _from_data_url(name)
    if name.startswith("<"):
        tag = _TAG.fullmatch(name.strip())
        inner = (tag[1] if tag[1] is not None else tag[2]).strip() if tag else ""
        if inner:
            return _from_text(inner)
    if len(name) >= _SHORTEST and name.startswith(_BEGINNINGS):
        try:
            return _decoded(name)
        except _UnreadableError:
            pass  # it may be a path all the same
    if len(name.encode("utf-8", "surrogatepass")) > _MAX_PATH:
        raise _UnreadableError(
            f"an image field holds {shown(name)} ({len(name):,} characters), which is neither a "
            "path nor an image in base64"
        )
    return _path(name)


def _path(name: str) -> str:
    if name[:7].lower() == "file://":
        rest = name[7:]
        rest = rest[9:] if rest[:10].lower() == "localhost/" else rest
        name = unquote(rest)
        name = name[1:] if name.startswith("/") and _DRIVE.match(name) else name
    if "\\" in name and not _REMOTE.match(name):
        name = name.replace("\\", "/")
    return name


def _from_data_url(url: str) -> bytes:
    head, comma, data = url.partition(",")
    if not comma:
        raise _UnreadableError("an image is a data URL without data")
    if head.lower().endswith(";base64"):
        return _decoded(unquote(data))
    found = unquote_to_bytes(data)
    if not found:
        raise _UnreadableError("an image is a data URL without data")
    return found


def _decoded(text: str) -> bytes:
    """Return the bytes of base64, also of its form for URLs, with line ends or without padding."""
    compact = _WHITE.sub("", text).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        found = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not found:
        raise _UnreadableError(
            f"an image is {shown(text)} ({len(text):,} characters), which is not base64"
        )
    return found


def _is_nothing(value: JSON) -> bool:
    """Tell whether a value says that there is no image: pandas writes NaN for it."""
    return value is None or value is False or (isinstance(value, float) and math.isnan(value))


def _is_empty(value: JSON) -> bool:
    return value in ("", b"", [], {}) or _is_nothing(value)


def _parsed(text: str) -> JSON:
    """Return the value of JSON, or of a list as Python prints it (what pandas writes to CSV)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if len(text) > 1 << 16:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strange escapes
        try:
            return literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
