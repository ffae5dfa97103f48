"""Writes tar shards: the same samples give the same bytes, whenever they are written."""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ig4.core.files.images.decoding.kinds import HEAD, image_format
from ig4.core.files.writing.atomic import replacing
from ig4.core.files.writing.names import is_safe_path
from ig4.core.records import JSON
from ig4.plugins.formats.shards.reading import BASE64, EXTRAS, IMAGE

_ENDINGS = {"JPEG": "jpg", "TIFF": "tif", "JPEG2000": "jp2"}
_SAFE_ENDING = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_BLOCK = tarfile.BLOCKSIZE
_END = 2 * _BLOCK

Members = list[tuple[str, bytes]]
"""The members of a sample: (ending, bytes), in their order."""


def image_ending(data: bytes) -> str:
    """Return what a member that is this image ends in."""
    kind = image_format(data[:HEAD])
    return "jpg" if kind is None else _ENDINGS.get(kind, kind.lower())


def members_of(values: Mapping[str, JSON], images: Mapping[int, bytes]) -> Members:
    """Return the members of a sample as it was read; `images` has the bytes by their place."""
    found: Members = []
    for ending, value in values.items():
        name = f"{EXTRAS}.json" if ending == EXTRAS else ending
        if not _SAFE_ENDING.fullmatch(name):
            continue
        data = _data(name, value, images)
        if data is not None:
            found.append((name, data))
    return found


def _data(ending: str, value: JSON, images: Mapping[int, bytes]) -> bytes | None:
    if isinstance(value, dict) and set(value) == {IMAGE}:
        return images.get(value[IMAGE])
    if isinstance(value, dict) and set(value) == {BASE64}:
        return base64.b64decode(value[BASE64])
    if ending.rpartition(".")[2] == "json":
        return json_bytes(value)
    return None if value is None else str(value).encode("utf-8", "replace")


def json_bytes(value: JSON) -> bytes:
    """Return JSON as UTF-8, with escapes for what UTF-8 has no form for."""
    try:
        return json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value).encode("ascii")


class ShardWriter:
    """Writes samples to one tar, or to shards of at most so many samples and bytes each.

    A target that is a folder gets `shard-000000.tar` and so on; one that is a file is one tar.
    """

    def __init__(self, target: Path, *, is_folder: bool, maxcount: int, maxsize: int) -> None:
        self.target = target
        self.is_folder = is_folder
        self.maxcount = maxcount
        self.maxsize = maxsize
        self._number = self._count = self._size = self._total = 0
        self._last_key: str | None = None
        self._tar: tarfile.TarFile | None = None
        self._open = ExitStack()

    @contextmanager
    def opened(self) -> Iterator[ShardWriter]:
        """Yield the writer; there is one shard at least."""
        with self._open:
            self._begin()
            yield self

    def write(self, key: str | None, members: Members) -> None:
        """Write a sample under its key, or under its number where the key cannot be used."""
        size = sum(_BLOCK + -(-len(data) // _BLOCK) * _BLOCK for _, data in members)
        full = self._count >= self.maxcount or self._size + size + _END > self.maxsize
        if self.is_folder and self._count and full:
            self._begin()
        if key is None or key == self._last_key or not _is_usable(key):
            key = f"{self._total:09d}"
        for ending, data in members:
            info = tarfile.TarInfo(f"{key}.{ending}")
            info.size = len(data)
            assert self._tar is not None
            self._tar.addfile(info, io.BytesIO(data))
        self._last_key = key
        self._count += 1
        self._total += 1
        self._size += size

    def _begin(self) -> None:
        """End the shard, and begin the next one."""
        self._open.pop_all().close()
        name = f"shard-{self._number:06d}.tar"
        partial = self._open.enter_context(
            replacing(self.target / name if self.is_folder else self.target)
        )
        file: IO[bytes] = self._open.enter_context(partial.open("wb"))
        self._tar = self._open.enter_context(
            tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)
        )
        self._number += 1
        self._count = self._size = 0
        self._last_key = None


def _is_usable(key: str) -> bool:
    """Tell whether readers take all of a key for the key: nothing behind a dot, and safe."""
    return "." not in key and is_safe_path(key)
