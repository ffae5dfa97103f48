"""Writes tar shards: the same samples give the same bytes, whenever they are written."""

from __future__ import annotations

import base64
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import IO

from ig4.core.files.images.decoding.kinds import HEAD, image_format
from ig4.core.files.writing.atomic import replacing
from ig4.core.files.writing.names import is_safe_path
from ig4.core.records import JSON
from ig4.plugins.formats.shards.changes import ShardChanges
from ig4.plugins.formats.shards.reading import BASE64, IMAGE, key_of, unescaped

_ENDINGS = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}
_SAFE_ENDING = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_UNSAFE = re.compile(r"[^a-z0-9_-]+")
_BLOCK, _RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
_END = bytes(2 * _BLOCK)

Members = list[tuple[str, bytes]]
"""The members of a sample: (ending, bytes), in their order."""


def image_ending(data: bytes) -> str:
    """Return what a member that is this image ends in."""
    kind = image_format(data[:HEAD])
    return "jpg" if kind is None else _ENDINGS.get(kind, kind.lower())


def members_of(
    values: Mapping[str, JSON], images: Mapping[int, bytes], changes: ShardChanges
) -> Members:
    """Return the members of a sample as it was read; `images` has the bytes by their place.

    An ending that is no safe part of a file name becomes one. That, and members whose bytes are not
    there, are counted in `changes`.
    """
    found: Members = []
    endings = [key_of(key) for key in values]
    taken = {ending for ending in endings if _SAFE_ENDING.fullmatch(ending)}
    for ending, value in zip(endings, values.values(), strict=True):
        data = _data(ending, value, images)
        if data is None:
            changes.lose(ending)
            continue
        name = ending if ending in taken else _safe_ending(ending, taken)
        if name != ending:
            taken.add(name)
            changes.rename(ending, name)
        found.append((name, data))
    return found


def _safe_ending(ending: str, taken: set[str]) -> str:
    """Return an ending made from one, with the same last part where that is safe."""
    cleaned = ".".join(_UNSAFE.sub("_", part) or "_" for part in ending.split("."))
    names = (f"{number}.{cleaned}" if number else cleaned for number in count())
    return next(name for name in names if name not in taken)


def _data(ending: str, value: JSON, images: Mapping[int, bytes]) -> bytes | None:
    """Return the bytes of a member; None where ig4 has them not."""
    if isinstance(value, dict) and set(value) == {IMAGE} and type(value[IMAGE]) is int:
        return images.get(value[IMAGE])
    if isinstance(value, dict) and set(value) == {BASE64}:
        if value[BASE64] is None:
            return None
        try:
            return base64.b64decode(value[BASE64], validate=True)
        except (ValueError, TypeError):
            pass  # a database of others may hold anything: it is JSON then
    is_json = ending.rpartition(".")[2] == "json"
    if value is None and not is_json:
        return None
    if isinstance(value, str) and not is_json:
        return value.encode("utf-8", "replace")
    return json_bytes(unescaped(value))


def json_bytes(value: JSON) -> bytes:
    """Return JSON as UTF-8, with escapes for what UTF-8 has no form for."""
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value).encode("ascii")


class ShardWriter:
    """Writes samples to one tar, or to shards of at most so many samples and bytes each.

    A target that is a folder gets `shard-000000.tar` and so on; one that is a file is one tar. A
    shard has one sample at least, however large. `changes` counts what is not as it was.
    """

    def __init__(self, target: Path, *, is_folder: bool, maxcount: int, maxsize: int) -> None:
        self.target = target
        self.is_folder = is_folder
        self.maxcount = maxcount
        self.maxsize = maxsize
        self.changes = ShardChanges()
        self._number = self._count = self._size = self._total = 0
        self._last_key: str | None = None
        self._keys: set[str] = set()
        self._made: set[str] = set()  # those of the keys that stand in the place of others
        self._file: IO[bytes] | None = None
        self._open = ExitStack()

    @contextmanager
    def opened(self) -> Iterator[ShardWriter]:
        """Yield the writer; there is one shard at least."""
        with self._open:
            self._begin()
            yield self
            self._end()

    def write(self, key: str | None, members: Members) -> None:
        """Write a sample under its key, or under its number where the key cannot be used.

        One without members gets an empty JSON: it would be gone, and its neighbours side by side.
        """
        members = members or [("json", b"{}")]
        if self.is_folder and self._count >= self.maxcount:
            self._begin()
        name = self._name(key)
        heads = [_head(f"{name}.{ending}", len(data)) for ending, data in members]
        size = sum(map(len, heads)) + sum(_padded(len(data), _BLOCK) for _, data in members)
        whole = _padded(self._size + size + len(_END), _RECORD)
        if self.is_folder and self._count and whole > self.maxsize:
            self._begin()
        assert self._file is not None
        for head, (_, data) in zip(heads, members, strict=True):
            self._file.write(head)
            self._file.write(data)
            self._file.write(bytes(-len(data) % _BLOCK))
        self._last_key = name
        self._count += 1
        self._total += 1
        self._size += size

    def _name(self, key: str | None) -> str:
        """Return the key of a sample in the shard: one that no reader takes for its neighbour's."""
        name = key
        if name is None or name == self._last_key or name in self._made or not _is_usable(name):
            name = f"{self._total:09d}"
            more = count(1)
            while name in self._keys:
                name = f"{self._total:09d}-{next(more)}"
            self._made.add(name)
        self._keys.add(name)
        if key is not None and name != key:
            self.changes.rekey(key, name)
        return name

    def _begin(self) -> None:
        """End the shard, and begin the next one."""
        self._end()
        name = f"shard-{self._number:06d}.tar"
        partial = self._open.enter_context(
            replacing(self.target / name if self.is_folder else self.target)
        )
        self._file = self._open.enter_context(partial.open("wb"))
        self._number += 1
        self._count = self._size = 0
        self._last_key = None

    def _end(self) -> None:
        """Write the mark of an end, padded as tar pads it."""
        if self._file is not None:
            self._file.write(bytes(_padded(self._size + len(_END), _RECORD) - self._size))
            self._file = None
        self._open.pop_all().close()


def _head(name: str, size: int) -> bytes:
    """Return what stands before the bytes of a member: more than a block where its name is long."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padded(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _is_usable(key: str) -> bool:
    """Tell whether readers take all of a key for the key: nothing behind a dot, and safe."""
    return "." not in key.rpartition("/")[2] and is_safe_path(key)
