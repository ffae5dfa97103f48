"""Groups the members of a tar shard into samples, and keeps what each of them holds."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ig4.core.errors import DatasetError
from ig4.core.files.images.parts import ByteRange
from ig4.core.files.opening import open_file
from ig4.core.files.reading.compressed import BROKEN, open_binary
from ig4.core.files.reading.tarmembers import (
    BrokenTarError,
    TarMember,
    UnmarkedEndError,
    tar_members,
)
from ig4.core.files.writing.names import IMAGE_SUFFIXES
from ig4.core.records import JSON, ImagePart

IMAGE, BASE64 = "$image", "$base64"
EXTRAS = "ig4"
"""What the member `ig4.json` is in a sample: what an export writes beside a record."""

TEXTS = ("txt", "text", "caption", "transcript")
UNPACKED = (
    "their shard is compressed, so their images are copied beside the database: unpack the shard "
    "to read them where they lie"
)
LEFT = "beside them are members of more than 64 KiB that are no images, which ig4 does not keep"
NAMELESS = "before them are members that are of no sample: they have no key, or no ending"
UNMARKED = "their shard ends after them without the mark of an end: it may have been cut off there"

UNREADABLE = (BrokenTarError, DatasetError, OSError, *BROKEN)
"""What reading a damaged shard raises."""

_MAGIC = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # gzip, Zstandard
_NAMED = re.compile(r"((?:.*/|)[^/.]+)\.([^/]+)", re.DOTALL)
_MOST_TEXT = 64 << 20  # bytes of a JSON or a text
_MOST_OTHER = 1 << 16
_PLAIN = re.compile(r"(?:.*\.)?(?:cls\d*|index|inx|id)")


@dataclass(slots=True)
class ShardSample:
    """What the members of one key hold, by their endings, JSON-able.

    Images are {"$image": n}, their place in `images`: parts of the shard, or bytes where it is
    compressed. Other members that are no text are {"$base64": …}.
    """

    key: str
    values: dict[str, JSON] = field(default_factory=dict)
    images: list[ImagePart | bytes] = field(default_factory=list)
    problem: str | None = None
    remarks: tuple[str, ...] = ()

    def refuse(self, problem: str) -> None:
        """Keep the first problem."""
        self.problem = self.problem or problem

    def remark(self, text: str) -> None:
        """Keep a remark once."""
        if text not in self.remarks:
            self.remarks = (*self.remarks, text)


def shard_samples(shard: Path, label: str) -> Iterator[ShardSample]:
    """Yield the samples of a shard: consecutive members with one key.

    `label` is what the shard is called in the names of its images. Where the shard is damaged, the
    last sample has the problem; those before it are good.
    """
    current: ShardSample | None = None
    nameless = False
    with open_file(shard) as file:
        compressed = file.peek(4)[:4].startswith(_MAGIC)
    with open_binary(shard) as file:
        try:
            for member in tar_members(file):
                named = _NAMED.fullmatch(member.name)
                if named is None or _is_of_archiver(member.name):
                    nameless = nameless or named is None
                    continue
                if current is None or current.key != named[1]:
                    if current is not None:
                        yield current
                    current = ShardSample(named[1])
                    if nameless:
                        current.remark(NAMELESS)
                        nameless = False
                _Member(current, named[2].lower(), member, shard, label, compressed).add()
        except UnmarkedEndError:
            if current is not None:
                current.remark(UNMARKED)
        except UNREADABLE as error:
            yield _broken(current, shard, error)
            return
    if current is not None:
        if nameless:
            current.remark(NAMELESS)
        yield current


def _broken(current: ShardSample | None, shard: Path, error: Exception) -> ShardSample:
    """Return the last sample of a damaged shard, with the problem."""
    sample = current or ShardSample(shard.name)
    reason = getattr(error, "strerror", None) or str(error) or "it is cut off"
    sample.refuse(f"the shard {shard.name} cannot be read to its end: {reason}")
    return sample


def _is_of_archiver(name: str) -> bool:
    """Tell whether a member is none of the user's: what macOS puts beside each file."""
    path = PurePosixPath(name)
    return path.name.startswith("._") or "__MACOSX" in path.parts


@dataclass(frozen=True, slots=True)
class _Member:
    """One member on its way into a sample."""

    sample: ShardSample
    ending: str
    member: TarMember
    shard: Path
    label: str
    compressed: bool

    def add(self) -> None:
        """Keep what it holds, or say why it cannot be kept."""
        problem = self.member.problem or _why_odd(self.member.name)
        if problem is not None:
            self.sample.refuse(f"the member {_shown(self.member.name)} is not read: {problem}")
        elif self._key in self.sample.values:
            self.sample.refuse(f"the shard has two members {_shown(self.member.name)}")
        elif "." + self.ending.rpartition(".")[2] in IMAGE_SUFFIXES:
            self._add_image()
        else:
            self._add_value()

    @property
    def _key(self) -> str:
        return EXTRAS if self.ending == f"{EXTRAS}.json" else self.ending

    def _add_image(self) -> None:
        images = self.sample.images
        self.sample.values[self._key] = {IMAGE: len(images)}
        if self.compressed:
            images.append(self.member.read())
            self.sample.remark(UNPACKED)
            return
        place = ByteRange(self.member.offset, self.member.size).place
        images.append(ImagePart(str(self.shard), place, f"{self.label}/{self.member.name}"))

    def _add_value(self) -> None:
        last = self.ending.rpartition(".")[2]
        is_text = last == "json" or last in TEXTS or _PLAIN.fullmatch(self.ending) is not None
        if self.member.size > (_MOST_TEXT if is_text else _MOST_OTHER):
            if is_text:
                self.sample.refuse(f"the member {_shown(self.member.name)} has "
                                   f"{self.member.size:,} bytes, more than a text may")  # fmt: skip
            else:
                self.sample.remark(LEFT)
                self.sample.values[self._key] = None
            return
        data = self.member.read()
        self.sample.values[self._key] = self._value(data, last) if is_text else _encoded(data)

    def _value(self, data: bytes, last: str) -> JSON:
        try:
            text = data.decode("utf-8")
            return json.loads(text) if last == "json" else text
        except (ValueError, RecursionError) as error:
            what = "JSON" if last == "json" else "UTF-8"
            self.sample.refuse(
                f"the member {_shown(self.member.name)} is no valid {what} ({_told(error)})"
            )
            return _encoded(data)


def _encoded(data: bytes) -> JSON:
    return {BASE64: base64.b64encode(data).decode("ascii")}


def _told(error: Exception) -> str:
    return str(error).partition(": ")[0] if isinstance(error, UnicodeDecodeError) else str(error)


def _why_odd(name: str) -> str | None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        return "its name leads out of the shard"
    if "\0" in name or "\n" in name:
        return "its name holds a line break or a NUL"
    return None


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:80]}…")
