"""The base of formats in JSON files: they find the file, stream it and write it."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import ClassVar, TextIO

from ig4.core.contracts import Format
from ig4.core.contracts.format import ExtrasPlace
from ig4.core.errors import DatasetError
from ig4.core.extras import in_object
from ig4.core.files.formats import require_not_empty
from ig4.core.files.images.names import rename_images
from ig4.core.files.patterns import named_files
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.compressed import data_suffix
from ig4.core.files.writing.atomic import replacing
from ig4.core.records import JSON, Record
from ig4.plugins.formats import names
from ig4.plugins.formats.options import JsonOptions
from ig4.plugins.formats.records.turns import with_key_remark
from ig4.plugins.formats.splits import in_format, one_dataset

SUFFIXES = (".json", *jsonstream.LINES_SUFFIXES)
LIST, LINES = ("[\n", ",\n", "\n]\n"), ("", "\n", "\n")
"""The texts before, between and after the records of a file."""
_SHOWN = 8
_MESSAGES = ("conversations", "messages", "conversation")

Parse = Callable[[JSON, int], Record]


class JsonRecords(Format):
    """A data set in one file: a JSON list of records, one under a key, or a record a line.

    `path` may be the folder if one file in it is in this format, or several that are the shards of
    one data set; or so for each split. A file may be compressed. Written is one file, of lines if
    the target ends in .jsonl or .ndjson, else a list, under the key that it was read from; without
    an ending the target is a folder.
    """

    Options = JsonOptions
    options: JsonOptions
    version = "3"
    suffixes = SUFFIXES
    usual_name: ClassVar[str]
    """The file's name if the target is a folder."""

    @abstractmethod
    def recognises(self, record: JSON) -> bool:
        """Return whether a record is in this format."""

    @abstractmethod
    def parser(self, path: Path) -> Parse:
        """Return the function from a record and its number (from 0) to a Record.

        Numbers go on from one shard to the next.
        """

    def written_parser(self, header: JSON) -> Parse:
        """Return the function that reads a record of a file that `write` made."""
        return self.parser(Path())

    def with_images(
        self, record: Record, images: Sequence[str | bytes], header: JSON = None
    ) -> JSON:
        """See `Format.with_images`."""
        parse = self.written_parser(header)
        return rename_images(record.raw, images, lambda raw: parse(raw, 0))

    @abstractmethod
    def make_raw(self, record: Record, header: JSON = None) -> JSON:
        """Make a record of this format from turns and images, for a file with this header."""

    def detect(self, path: Path) -> bool:
        """See `Format.detect`."""
        return bool(self.matching_files(path))

    def matching_files(self, path: Path) -> list[Path]:
        """Return the file, or those in the folder, whose first records are in this format.

        Shards of one series are returned together.
        """
        if not path.is_dir():
            return [path] if self.matches(path) else []
        there = named_files(path) or path.iterdir()
        files = (file for file in there if data_suffix(file) in SUFFIXES)
        return in_format(files, self.matches)

    def matches(self, file: Path) -> bool:
        """Return whether any of the first records of a file is in this format."""
        records = jsonstream.first_records(file, key=self.options.key)
        return any(self.recognises(record) for record in records)

    def sources(self, path: Path) -> list[Path]:
        """Return the file that holds the records, or the shards of one data set in their order.

        Raises:
            DatasetError: there is none, or there are several data sets in a folder.
        """
        require_not_empty(path)
        if path.is_file():
            return [path]
        return one_dataset(path, self.matching_files(path), self.options.split)

    def raw_records(self, file: Path) -> Iterator[JSON]:
        """Yield the records as they are in the file."""
        encoding = self.options.encoding
        if jsonstream.layout(file) != "object":
            return jsonstream.records(file, encoding)
        return jsonstream.nested_items(file, self.key(file), encoding)

    def key(self, file: Path) -> str:
        """Return the key of the records in a file that is one JSON object.

        Raises:
            DatasetError: it holds no list of objects, or several and no option says which.
        """
        if self.options.key is not None:
            return self.options.key
        found = jsonstream.lists_of_objects(file, self.options.encoding)
        lists = [name for name in found if name not in _MESSAGES]  # of one record
        if len(lists) == 1:
            return lists[0]
        if not lists:
            raise DatasetError(f"{file} holds one JSON object where a list of records should be")
        listed = ", ".join(lists[:_SHOWN])
        raise DatasetError(f"{file} holds lists under {listed}: say which with -o key={lists[0]}")

    def header(self, path: Path) -> JSON:
        """Return the object around the records, and their key; None if they are a bare list.

        Of several shards it is the first one's.
        """
        file = self.sources(path)[0]
        if jsonstream.layout(file) != "object":
            return None
        key = self.key(file)
        return {"key": key, "object": jsonstream.outline(file, key, self.options.encoding)}

    def read(self, path: Path) -> Iterator[Record]:
        """See `Format.read`. A record that cannot be understood comes without turns."""
        parse = self.parser(path)
        raws = chain.from_iterable(map(self.raw_records, self.sources(path)))
        for row, raw in enumerate(raws):
            yield with_key_remark(parse(raw, row), raw)

    def image_folder(self, path: Path) -> Path:
        """See `Format.image_folder`; also right for a target not written yet."""
        return names.target_folder(path)

    def image_name(self, record: Record, index: int, suffix: str) -> str:
        """Return the record's own path where it is safe, else images/<id>-<index><suffix>."""
        return names.image_name(record, index, suffix)

    def write(self, records: Iterable[Record], target: Path, header: JSON = None) -> None:
        """See `Format.write`."""
        file = names.target_file(target, self.usual_name)
        encoding = self.options.encoding
        raws = (in_object(self.raw(record, header), record.extras) for record in records)
        texts = (dump_json(raw, encoding) for raw in raws)
        marks = LINES if file.suffix.lower() in jsonstream.LINES_SUFFIXES else LIST
        if marks is LIST and header is not None and "key" in header:
            marks = _marks_inside(header, encoding)
        write_joined(file, encoding, texts, marks)

    def carries_extras(self, header: JSON = None) -> ExtrasPlace | None:
        """See `Format.carries_extras`."""
        return "key"

    def raw(self, record: Record, header: JSON = None) -> JSON:
        """Return a record as it was read, or a new one; an empty record was a null."""
        if record.raw is not None:
            return record.raw
        return self.make_raw(record, header) if record.turns or record.images else None


def _marks_inside(header: JSON, encoding: str) -> tuple[str, str, str]:
    """Return the texts around records that stand under a key of an object."""
    before, after, key = [], [], header["key"]
    for name, value in header["object"].items():
        member = f"{dump_json(name, encoding)}: "
        if name == key:
            before.append(member)
        elif before and before[-1].endswith(": "):
            after.append(f",\n{member}{dump_json(value, encoding)}")
        else:
            before.append(f"{member}{dump_json(value, encoding)},\n")
    return "{\n" + "".join(before) + LIST[0], LIST[1], "\n]" + "".join(after) + "\n}\n"


def write_joined(
    target: Path, encoding: str, texts: Iterable[str], marks: tuple[str, str, str]
) -> None:
    """Write texts, one at a time, between an opening, separators and an end."""
    opening, separator, end = marks
    with replacing(target) as partial, open_text(partial, encoding) as file:
        file.write(opening)
        before = ""
        for text in texts:
            file.write(before + text)
            before = separator
        if before or opening:
            file.write(end)


def dump_json(value: JSON, encoding: str) -> str:
    """Return JSON text, with escapes only for characters that the encoding lacks."""
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii():
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:  # also a lone surrogate, which JSON can hold and UTF-8 cannot
        return json.dumps(value)
    return text


def open_text(path: Path, encoding: str) -> TextIO:
    """Open a file for writing text whose line ends stay as they are."""
    return path.open("w", encoding=encoding, newline="")
