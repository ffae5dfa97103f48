"""Groups the members of a tar shard into samples, and keeps what each of them holds."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from ig4.core.errors import DatasetError
from ig4.core.files.images.files import LIMIT, byte_limit
from ig4.core.files.images.parts import ByteRange
from ig4.core.files.opening import RefusedFileError, open_file
from ig4.core.files.reading.compressed import BROKEN, is_compressed, open_binary
from ig4.core.files.reading.encodings import unreadable_error
from ig4.core.files.reading.tarmembers import (
    BrokenTarError,
    TarMember,
    UnmarkedEndError,
    tar_members,
)
from ig4.core.files.writing.names import IMAGE_SUFFIXES
from ig4.core.records import JSON, ImagePart

IMAGE, BASE64, ESCAPED = "$image", "$base64", "$json"
KEY = "__key__"
"""What the key is called among what a sample holds."""

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

_NAMED = re.compile(r"((?:.*/|)[^/.]+)\.([^/]+)", re.DOTALL)
_MOST_TEXT = 64 << 20  # bytes of a JSON or a text
_MOST_OTHER = 1 << 16
_NOT_KEPT = {BASE64: None}
_MOST_MEMBERS = 10_000  # of a sample
_MOST_IMAGES = 4  # times what one image may have: what all members of a sample may take in memory
_PLAIN = re.compile(r"(?:.*\.)?(?:cls\d*|index|inx|id)")


@dataclass(slots=True)
class ShardSample:
    """What the members of one key hold, by their endings, JSON-able.

    Images are {"$image": n}, their place in `images`: parts of the shard, or bytes where it is
    compressed. Other members that are no text are {"$base64": …}, with null where they are not
    kept. JSON that looks like one of these is {"$json": …}. `kept` counts the bytes in memory.
    """

    key: str
    values: dict[str, JSON] = field(default_factory=dict)
    images: list[ImagePart | bytes] = field(default_factory=list)
    problem: str | None = None
    remarks: tuple[str, ...] = ()
    kept: int = 0

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

    Raises:
        DatasetError: the shard cannot be opened.
    """
    current: ShardSample | None = None
    key: str | None = None
    nameless = False
    file, compressed = _opened(shard, label)
    place = _Shard(shard, label, compressed)
    with file:
        try:
            for member in tar_members(file):
                named = _NAMED.fullmatch(member.name.removeprefix("./"))
                if named is None or _is_of_archiver(member.name):
                    nameless = nameless or named is None
                    continue
                if current is None or key != named[1]:
                    if current is not None:
                        yield current
                    key, current = named[1], ShardSample(_text(named[1]))
                    if nameless:
                        current.remark(NAMELESS)
                        nameless = False
                _Member(current, _text(named[2]).lower(), member, place).add()
        except UnmarkedEndError:
            if current is not None:
                current.remark(UNMARKED)
        except UNREADABLE as error:
            yield _broken(current, label, error)
            return
    if nameless and current is None:
        current = ShardSample(PurePosixPath(label).name)
        current.refuse(
            f"the shard {label} has members, but no sample: they have no key, or no ending"
        )
    elif nameless and current is not None:
        current.remark(NAMELESS)
    if current is not None:
        yield current


def _opened(shard: Path, label: str) -> tuple[BinaryIO, bool]:
    """Open a shard, unpacked as it is read, and tell whether it is compressed.

    Raises:
        DatasetError: it cannot be opened. It is no problem of a sample: what it holds is not known,
            and would seem to be gone from the data set.
    """
    try:
        with open_file(shard) as file:
            compressed = is_compressed(file.peek(4)[:4])
        return open_binary(shard), compressed
    except RefusedFileError as error:
        raise DatasetError(f"the shard {unreadable_error(Path(label), error)}") from None
    except OSError as error:
        raise DatasetError(
            f"the shard {label} cannot be opened: {error.strerror or error}. Put it right, or "
            "leave it out of the data set, and ingest again"
        ) from None


def _broken(current: ShardSample | None, label: str, error: Exception) -> ShardSample:
    """Return the last sample of a damaged shard, with the problem, whatever else it has."""
    sample = current or ShardSample(PurePosixPath(label).name)
    told = getattr(error, "strerror", None) or getattr(error, "reason", None)
    reason = told or str(error) or "it is cut off"
    damage = f"the shard {label} cannot be read to its end: {reason}"
    sample.problem = damage if sample.problem is None else f"{damage}; and {sample.problem}"
    return sample


def _is_of_archiver(name: str) -> bool:
    """Tell whether a member is none of the user's: what macOS puts beside each file."""
    path = PurePosixPath(name)
    return path.name.startswith("._") or "__MACOSX" in path.parts


@dataclass(frozen=True, slots=True)
class _Shard:
    """The shard that is read, and what its images are called so far."""

    path: Path
    label: str
    compressed: bool
    names: set[str] = field(default_factory=set)

    def part(self, member: TarMember) -> ImagePart:
        """Return a member as an image where it lies; two members with one name stay two images."""
        name = f"{self.label}/{_text(member.name, 'backslashreplace')}"
        if name in self.names:
            name = f"{name}@{member.offset}"
        self.names.add(name)
        return ImagePart(str(self.path), ByteRange(member.offset, member.size).place, name)


@dataclass(frozen=True, slots=True)
class _Member:
    """One member on its way into a sample."""

    sample: ShardSample
    ending: str
    member: TarMember
    shard: _Shard

    def add(self) -> None:
        """Keep what it holds, or say why it cannot be kept."""
        problem = self.member.problem or _why_odd(self.member.name)
        if problem is None and self._key == KEY:
            problem = f"a sample's key is called {KEY}"
        if problem is not None:
            self._refuse(problem)
        elif self._key in self.sample.values:
            self.sample.refuse(f"the shard has two members {_shown(self.member.name)}")
        elif len(self.sample.values) >= _MOST_MEMBERS:
            self.sample.refuse(f"it has more than {_MOST_MEMBERS:,} members")
        elif "." + self.ending.rpartition(".")[2] in IMAGE_SUFFIXES:
            self._add_image()
        else:
            self._add_value()

    @property
    def _key(self) -> str:
        return key_of(self.ending)

    def _refuse(self, problem: str) -> None:
        self.sample.refuse(f"the member {_shown(self.member.name)} is not read: {problem}")

    def _read(self) -> bytes | None:
        """Return the bytes; None where the sample has too many already, which is its problem."""
        most = max(_MOST_IMAGES * byte_limit(), _MOST_TEXT)
        if self.sample.kept + self.member.size > most:
            self.sample.refuse(f"its members have more than {most:,} bytes together")
            return None
        self.sample.kept += self.member.size
        return self.member.read()

    def _add_image(self) -> None:
        images = self.sample.images
        self.sample.values[self._key] = dict(_NOT_KEPT)
        image: ImagePart | bytes | None
        if self.shard.compressed:
            if self.member.size > byte_limit():
                self._refuse(f"it is larger than {byte_limit():,} bytes ({LIMIT})")
                return
            image = self._read()
            self.sample.remark(UNPACKED)
        else:
            image = self.shard.part(self.member)
        if image is not None:
            self.sample.values[self._key] = {IMAGE: len(images)}
            images.append(image)

    def _add_value(self) -> None:
        last = self.ending.rpartition(".")[2]
        is_text = last == "json" or last in TEXTS or _PLAIN.fullmatch(self.ending) is not None
        self.sample.values[self._key] = dict(_NOT_KEPT)
        if self.member.size > (_MOST_TEXT if is_text else _MOST_OTHER):
            if is_text:
                self.sample.refuse(f"the member {_shown(self.member.name)} has "
                                   f"{self.member.size:,} bytes, more than a text may")  # fmt: skip
            else:
                self.sample.remark(LEFT)
            return
        data = self._read()
        if data is not None:
            self.sample.values[self._key] = self._value(data, last) if is_text else _encoded(data)

    def _value(self, data: bytes, last: str) -> JSON:
        try:
            text = data.decode("utf-8-sig")  # editors may set a mark
            return _escaped(json.loads(text)) if last == "json" else text
        except (ValueError, RecursionError) as error:
            what = "JSON" if last == "json" else "UTF-8"
            self.sample.refuse(
                f"the member {_shown(self.member.name)} is no valid {what} ({_told(error)})"
            )
            return _encoded(data)


def key_of(ending: str) -> str:
    """Return the key of what a member holds, by its ending; and the ending by the key.

    `ig4.json` is called as an export's own key is elsewhere, and `ig4` what that would be.
    """
    return {f"{EXTRAS}.json": EXTRAS, EXTRAS: f"{EXTRAS}.json"}.get(ending, ending)


def _escaped(value: JSON) -> JSON:
    """Return the JSON of a member so that it is nothing that stands for a member."""
    marks = (IMAGE, BASE64, ESCAPED)
    is_mark = isinstance(value, dict) and len(value) == 1 and next(iter(value)) in marks
    return {ESCAPED: value} if is_mark else value


def unescaped(value: JSON) -> JSON:
    """Return the JSON of a member as it stands in the shard."""
    return value[ESCAPED] if isinstance(value, dict) and set(value) == {ESCAPED} else value


def _text(name: str, errors: str = "replace") -> str:
    """Return a name as UTF-8 can hold it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", errors)


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
