"""WebDataset: tar shards whose files share a key, as img2dataset and webdataset write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import Field

from ig4.core.contracts import Format
from ig4.core.contracts.format import ExtrasPlace
from ig4.core.errors import DatasetError
from ig4.core.files.formats import require_not_empty
from ig4.core.files.images.names import rename_images
from ig4.core.files.opening import open_file
from ig4.core.files.patterns import named_files
from ig4.core.files.reading.compressed import open_binary
from ig4.core.files.reading.tarmembers import tar_members
from ig4.core.files.shards import natural_order
from ig4.core.records import JSON, Record
from ig4.plugins.formats import names
from ig4.plugins.formats.options import ColumnOptions, SplitOptions
from ig4.plugins.formats.records.columns import (
    OWN_COLUMNS,
    find_columns,
    record_from_row,
    row_from_record,
)
from ig4.plugins.formats.shards.changes import ShardChanges
from ig4.plugins.formats.shards.reading import (
    EXTRAS,
    IMAGE,
    KEY,
    TEXTS,
    UNREADABLE,
    ShardSample,
    shard_samples,
    unescaped,
)
from ig4.plugins.formats.shards.writing import (
    Members,
    ShardWriter,
    image_ending,
    json_bytes,
    members_of,
)
from ig4.plugins.formats.splits import of_split, require_one_split

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.zst")
_JSON, _IMAGES = "json", "__images__"
_MEDIA = frozenset(["mp4", "avi", "mov", "mkv", "webm", "wav", "flac", "mp3", "ogg", "m4a"])


class WebDatasetOptions(ColumnOptions, SplitOptions):
    """Options of tar shards; the columns are keys of each sample's JSON."""

    maxcount: int = Field(10_000, ge=1, description="The most samples of a shard that is written.")
    maxsize: int = Field(
        3_000_000_000, ge=1, description="The most bytes of a shard that is written."
    )
    captions: bool = Field(
        default=False,
        description="Whether the answer is written as .txt too, as open_clip reads it.",
    )


class WebDataset(Format):
    """Samples are consecutive members of a tar with one key: `.json`, `.txt`, `.jpg` and others.

    The JSON is the record: a conversation, or a question and an answer, by the usual names; without
    an answer in it, the text is the answer. Images are read where they lie in the shard, but for
    compressed shards. Written are shards of `maxcount` samples, with a JSON each; a target that
    ends in .tar is one shard.
    """

    Options = WebDatasetOptions
    options: WebDatasetOptions
    version = "1"
    embeds_images = True
    suffixes = (".tar",)

    def detect(self, path: Path) -> bool:
        """See `Format.detect`: its first shard is a tar with a member of a key."""
        files = _shards(path) if path.is_dir() else [path]
        return bool(files) and files[0].is_file() and _is_shard(files[0])

    def sources(self, path: Path) -> list[Path]:
        """See `Format.sources`."""
        require_not_empty(path)
        if not path.is_dir():
            return [path]
        files = _shards(path)
        if not files:
            raise DatasetError(f"{path} holds no shards ({', '.join(SUFFIXES)})")
        if not named_files(path):
            require_one_split(path, files, self.options.split)
        return sorted(of_split(path, files, self.options.split), key=natural_order)

    def read(self, path: Path) -> Iterator[Record]:
        """See `Format.read`. A sample that cannot be understood comes without turns."""
        number = count()
        for shard in self.sources(path):
            label = shard.relative_to(path).as_posix() if path.is_dir() else shard.name
            for sample in shard_samples(shard, label):
                yield self._record(sample, next(number))

    def _record(self, sample: ShardSample, number: int) -> Record:
        raw = {KEY: sample.key, **sample.values}
        record = self._parsed(raw, number, sample.images)
        problem = sample.problem or record.problem
        return record._replace(problem=problem, remarks=(*record.remarks, *sample.remarks))

    def _parsed(self, raw: Mapping[str, JSON], number: int, images: Sequence[Any]) -> Record:
        row = _row(raw)
        columns = find_columns(row, self.options)
        if columns.answer is None and columns.messages is None:
            text = next((raw[one] for one in TEXTS if isinstance(raw.get(one), str)), None)
            if text is not None:
                row[TEXTS[0]] = text
                columns = replace(columns, answer=TEXTS[0])
        if columns.id is None or row.get(columns.id) is None:
            row[KEY], columns = raw.get(KEY), replace(columns, id=KEY)
        if images:
            row[_IMAGES] = [{IMAGE: place} for place in range(len(images))]
            columns = replace(columns, image=_IMAGES, more_images=None, marked_image=None)
        media = next((one for one in raw if one.rpartition(".")[2] in _MEDIA), None)
        if media is not None:
            row["video"], columns = media, replace(columns, media=(*columns.media, "video"))
        return record_from_row(row, columns, self.options, number, dict(raw), embedded=images)

    def image_folder(self, path: Path) -> Path:
        """See `Format.image_folder`; also right for a target not written yet."""
        return names.target_folder(path)

    def image_name(self, record: Record, index: int, suffix: str) -> str:
        """Return the record's own path where it is safe, else images/<id>-<index><suffix>."""
        return names.image_name(record, index, suffix)

    def with_images(
        self, record: Record, images: Sequence[str | bytes], header: JSON = None
    ) -> JSON:
        """See `Format.with_images`; images inside stay where they are."""
        if not isinstance(record.raw, dict):
            return None
        if _image_count(record.raw):
            same = all(isinstance(one, bytes) for one in images)
            return record.raw if same and len(images) == _image_count(record.raw) else None
        return rename_images(record.raw, images, lambda raw: self._parsed(raw, 0, ()))

    def carries_extras(self, header: JSON = None) -> ExtrasPlace | None:
        """See `Format.carries_extras`: a member of their own, `ig4.json`."""
        return "key"

    def write(self, records: Iterable[Record], target: Path, header: JSON = None) -> Sequence[str]:
        """See `Format.write`."""
        is_folder = names.target_folder(target) == target
        if is_folder:
            target.mkdir(parents=True, exist_ok=True)
        writer = ShardWriter(
            target, is_folder=is_folder, maxcount=self.options.maxcount,
            maxsize=self.options.maxsize,
        )  # fmt: skip
        with writer.opened():
            for record in records:
                key, members = self._members(record, writer.changes)
                if record.extras is not None:
                    members = [one for one in members if one[0] != f"{EXTRAS}.json"]
                    members.append((f"{EXTRAS}.json", json_bytes(dict(record.extras))))
                writer.write(key, members)
        return writer.changes.sentences()

    def read_along(self, target: Path, written: Path) -> list[Path]:
        """See `Format.read_along`: shards, of which an earlier export may have had more."""
        if not target.is_dir():
            return []
        new = {file.relative_to(written) for file in _shards(written)}
        return [file for file in _shards(target) if file.relative_to(target) not in new]

    def _members(self, record: Record, changes: ShardChanges) -> tuple[str | None, Members]:
        if isinstance(record.raw, dict) and KEY in record.raw:
            inside = [image for image in record.images if isinstance(image, bytes)]
            values = {name: one for name, one in record.raw.items() if name != KEY}
            images = {place: image for place, image in enumerate(inside) if image}
            return str(record.raw[KEY]), members_of(values, images, changes)
        return None, self._made(record)

    def _made(self, record: Record) -> Members:
        """Return the members of a record of another format: its images, its JSON, its caption."""
        inside = [image for image in record.images if isinstance(image, bytes)]
        row = row_from_record(record, OWN_COLUMNS)
        unused = ("messages",) if row["messages"] is None else ("instruction", "answer")
        row["images"] = [image for image in record.images if isinstance(image, str)]
        without = (*unused, *(() if row["images"] else ("images",)))
        value = {name: one for name, one in row.items() if name not in without}
        found: Members = [
            (image_ending(one) if len(inside) == 1 else f"{place}.{image_ending(one)}", one)
            for place, one in enumerate(inside)
        ]
        found.append((_JSON, json_bytes(value)))
        if self.options.captions:
            found.append((TEXTS[0], str(row["answer"]).encode("utf-8", "replace")))
        return found


def _row(raw: Mapping[str, JSON]) -> dict[str, JSON]:
    value = unescaped(raw.get(_JSON))
    if isinstance(value, dict):
        return dict(value)
    return {"messages": value} if isinstance(value, list) else {}


def _image_count(raw: Mapping[str, JSON]) -> int:
    return sum(isinstance(one, dict) and set(one) == {IMAGE} for one in raw.values())


def _shards(folder: Path) -> list[Path]:
    named = named_files(folder)
    if named:
        return named
    found = (file for file in folder.rglob("*") if file.name.lower().endswith(SUFFIXES))
    return sorted((file for file in found if file.is_file()), key=natural_order)


def _is_shard(file: Path) -> bool:
    """Tell whether a file is a tar, whose first files have a sample's endings."""
    if not file.name.lower().endswith(SUFFIXES):
        with open_file(file) as opened:
            if opened.read(262)[257:] != b"ustar":
                return False
    try:
        with open_binary(file) as stream:
            member = next(tar_members(stream), None)
    except UNREADABLE:
        return True  # what it lacks is told when it is read, by its name
    return member is None or bool(Path(member.name).suffix)
