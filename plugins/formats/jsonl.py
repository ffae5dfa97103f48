"""JSON records of any shape, in lines or in a list, with mapped keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ig4.core.contracts.format import ExtrasPlace
from ig4.core.errors import DatasetError
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.encodings import first_text
from ig4.core.files.reading.repeatedkeys import RepeatedKeys
from ig4.core.records import JSON, Record
from ig4.plugins.formats import names
from ig4.plugins.formats.jsonrecords import JsonRecords, Parse, dump_json, write_joined
from ig4.plugins.formats.options import ColumnOptions, JsonOptions
from ig4.plugins.formats.records.columns import (
    OWN_COLUMNS,
    Columns,
    find_columns,
    record_from_row,
    row_from_record,
)
from ig4.plugins.formats.records.objects import object_parser

_MAX_MEMBERS = 16
_SPACE_AFTER_COLON = re.compile(r":\s*")


class JsonLinesOptions(JsonOptions, ColumnOptions):
    """Options of JSON records."""


class JsonLines(JsonRecords):
    """Records are objects, one on each line of a .jsonl file or in a JSON list.

    Keys are found by their usual names unless the options name them. A JSON object from id to
    answer is read as well, each member being a record. Records made from another format are
    {"id", "images", "instruction", "answer"}, and "messages" in the place of the last two
    for more than one question and answer.
    """

    Options = JsonLinesOptions
    options: JsonLinesOptions
    version = "3"
    generic = True
    suffixes = (*jsonstream.LINES_SUFFIXES, ".json")
    usual_name = "data.jsonl"

    def recognises(self, record: JSON) -> bool:
        """See `JsonRecords.recognises`: an answer or a conversation is there."""
        if not isinstance(record, dict):
            return False
        columns = find_columns(record, self.options)
        return columns.answer is not None or columns.messages is not None

    def matches(self, file: Path) -> bool:
        """See `JsonRecords.matches`; an object from id to caption fits, too."""
        return super().matches(file) or (
            self._is_members(file) and _holds_captions(first_text(file))
        )

    def _is_members(self, file: Path) -> bool:
        """Return whether a file is an object from id to caption, not one around a list."""
        if self.options.key is not None or jsonstream.layout(file) != "object":
            return False
        return not any(map(self.recognises, jsonstream.first_records(file)))

    def header(self, path: Path) -> JSON:
        """Return {} for an object from id to answer, else as `JsonRecords.header`."""
        return {} if self._are_members(path) else super().header(path)

    def _are_members(self, path: Path) -> bool:
        """Return whether a data set, in all of its files, is objects from id to answer.

        Raises:
            DatasetError: some of the files are, and others are not.
        """
        by_kind = {self._is_members(file): file for file in self.sources(path)}
        if len(by_kind) > 1:
            raise DatasetError(
                f"{by_kind[True]} is an object from id to answer, and {by_kind[False]} is not: "
                "they cannot be read as one data set; name one of them"
            )
        return True in by_kind

    def raw_records(self, file: Path) -> Iterator[JSON]:
        """See `JsonRecords.raw_records`; each member of an object is an object of its own."""
        if not self._is_members(file):
            return super().raw_records(file)
        members = jsonstream.members(file, self.options.encoding)
        return (_member_object(key, value) for key, value in members)

    def parser(self, path: Path) -> Parse:
        """See `JsonRecords.parser`."""
        return self.written_parser({} if self._are_members(path) else None)

    def written_parser(self, header: JSON) -> Parse:
        """See `JsonRecords.written_parser`."""
        if header == {}:
            return self._member
        return object_parser(lambda keys: find_columns(keys, self.options), self.options)

    def _member(self, raw: JSON, row: int) -> Record:
        ((name, value),) = raw.items()
        if isinstance(value, dict):
            columns = find_columns(value, self.options)
            found = record_from_row(value, columns, self.options, row, raw)
            return found._replace(id=name or str(row))
        row_values = {"id": name, "answer": value}
        return record_from_row(row_values, Columns("id", answer="answer"), self.options, row, raw)

    def carries_extras(self, header: JSON = None) -> ExtrasPlace | None:
        """See `Format.carries_extras`: an object from id to answer has no room for more."""
        return "key" if header != {} else None

    def write(self, records: Iterable[Record], target: Path, header: JSON = None) -> None:
        """See `Format.write`."""
        if header != {}:
            super().write(records, target, header)
            return
        file = names.target_file(target, "data.json")
        with_ids = (_members(record) for record in records)
        _write_object(file, self.options.encoding, with_ids)

    def make_raw(self, record: Record, header: JSON = None) -> JSON:
        """See `JsonRecords.make_raw`."""
        row = row_from_record(record, OWN_COLUMNS)
        unused = ("messages",) if row["messages"] is None else ("instruction", "answer")
        row["images"] = [image for image in record.images if isinstance(image, str)]
        return {name: value for name, value in row.items() if name not in unused}


def _member_object(key: str, value: JSON) -> JSON:
    if type(value) is RepeatedKeys:
        return RepeatedKeys({key: value}, value.key)
    return {key: value}


def _members(record: Record) -> dict[str, JSON]:
    if isinstance(record.raw, dict):
        return record.raw
    return {record.id: row_from_record(record, OWN_COLUMNS)["answer"]}


def _write_object(file: Path, encoding: str, members: Iterable[dict[str, JSON]]) -> None:
    texts = (dump_json(member, encoding)[1:-1] for member in members)
    write_joined(file, encoding, texts, ("{\n", ",\n", "\n}\n"))


def _holds_captions(head: str) -> bool:
    """Return whether an object's first members are captions or lists of captions."""
    decode = json.JSONDecoder().raw_decode
    at, checked = head.find("{"), 0
    try:
        while checked < _MAX_MEMBERS:
            _, at = decode(head, head.index('"', at + 1))
            value, at = decode(head, _SPACE_AFTER_COLON.search(head, at).end())  # type: ignore[union-attr]
            if not _is_caption(value):
                return False
            checked += 1
    except (ValueError, AttributeError, RecursionError):
        pass  # the end of the text, or of its complete part
    return checked > 0


def _is_caption(value: JSON) -> bool:
    texts = value if isinstance(value, list) and value else [value]
    return all(isinstance(text, str) and " " in text.strip() for text in texts)
