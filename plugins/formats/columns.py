"""Finds the columns of a table, and converts its rows to records and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ig4.core.errors import DatasetError
from ig4.core.files.imagenames import rename_images
from ig4.core.files.tables import ID_COLUMNS
from ig4.core.records import JSON, Record, Turn
from ig4.plugins.formats.options import ColumnOptions
from ig4.plugins.formats.turns import (
    ImageRef,
    complete_turns,
    image_list,
    is_pair,
    message_keys,
    parse_messages,
    plain_text,
    record_id,
    text_of_role,
)

USUAL_NAMES: Mapping[str, Sequence[str]] = {
    "id": ID_COLUMNS,
    "image": ("image", "images", "image_path", "image_file", "img", "img_path", "file_name",
              "filename", "path", "image_url"),
    "instruction": ("instruction", "question", "prompt", "query", "input"),
    "answer": ("answer", "caption", "response", "output", "completion", "text", "description"),
    "messages": ("messages", "conversations", "conversation"),
}  # fmt: skip
"""The usual names of columns, by priority; case does not matter."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns, or None."""

    id: str | None = None
    image: str | None = None
    instruction: str | None = None
    answer: str | None = None
    messages: str | None = None


OWN_COLUMNS = Columns("id", "images", "instruction", "answer", "messages")
"""The columns of a table made from records of another format."""


def find_columns(names: Iterable[str], options: ColumnOptions) -> Columns:
    """Return the columns among `names`, as the options say or by their usual names."""
    present = {name: name for name in names}
    lower = {name.lower(): name for name in reversed(present)}
    found: dict[str, str | None] = {}
    for meaning, usual in USUAL_NAMES.items():
        option = getattr(options, f"{meaning}_column")
        if option is not None:
            found[meaning] = present.get(option)
        else:
            found[meaning] = next((lower[name] for name in usual if name in lower), None)
    return Columns(**found)


def require_columns(path: Path, names: Sequence[str], options: ColumnOptions) -> Columns:
    """Return the columns of a table, and check that it has an answer.

    Raises:
        DatasetError: an option names a missing column, or no column holds the answer.
    """
    listed = ", ".join(map(repr, names))
    for field in fields(Columns):
        option = getattr(options, f"{field.name}_column")
        if option is not None and option not in names:
            raise DatasetError(f"{path} has no column {option!r}: its columns are {listed}")
    columns = find_columns(names, options)
    if columns.answer is None and columns.messages is None:
        raise DatasetError(
            f"{path}: no column is known to hold the answer; name one of {listed} with "
            "-o answer_column=…"
        )
    return columns


def record_from_row(
    row: Mapping[str, JSON], columns: Columns, options: ColumnOptions, number: int, raw: JSON
) -> Record:
    """Return the record of a row; without turns if it holds no answer.

    `image` is a path, a list of paths, or (as text) a JSON list of them; `messages` a list of
    messages or the JSON text of one; several answers are joined by newlines.
    """
    identity = record_id(row.get(columns.id) if columns.id else None, number)
    embedded: list[ImageRef] = []
    turns = _conversation(row.get(columns.messages), embedded, options) if columns.messages else ()
    turns = turns or _pair(row, columns, options)
    images = _images(row.get(columns.image)) if columns.image else []
    if not images and not embedded and options.image_path:
        images = [options.image_path.replace("{id}", identity)]
    return Record(identity, turns, tuple(images or embedded), raw)


def row_from_record(record: Record, columns: Columns) -> dict[str, JSON]:
    """Return the row of a record made from another format, in the columns given.

    Instruction and answer are the turns of user and assistant, joined by newlines; messages
    hold the conversation where it is more than one pair, else None. Lone surrogates, which JSON
    can hold and tables cannot, become question marks.
    """
    messages = [{"role": turn.role, "content": _encodable(turn.text)} for turn in record.turns]
    values = {
        columns.id: record.id,
        columns.image: list(record.images),
        columns.instruction: _encodable(text_of_role(record, "user")),
        columns.answer: _encodable(text_of_role(record, "assistant")),
        columns.messages: None if is_pair(record) else messages,
    }
    return {name: value for name, value in values.items() if name is not None}


def with_images(record: Record, images: Sequence[str | bytes], options: ColumnOptions) -> JSON:
    """Return the row of a record with these names of its images, or None; see `Format`."""
    if not isinstance(record.raw, dict):
        return None
    columns = find_columns(record.raw, options)
    keys = tuple(record.raw)

    def parse(raw: JSON) -> Record:
        row = {key: raw[key] for key in keys}  # a table has no room for other columns
        return record_from_row(row, columns, options, 0, raw)

    return rename_images(record.raw, images, parse)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _conversation(
    messages: JSON, embedded: list[ImageRef], options: ColumnOptions
) -> tuple[Turn, ...]:
    listed = parse_json(messages) if isinstance(messages, str) else messages
    turns, images = parse_messages(listed, *message_keys(listed))
    embedded += images
    return complete_turns(turns, options.instruction)


def _pair(row: Mapping[str, JSON], columns: Columns, options: ColumnOptions) -> tuple[Turn, ...]:
    answer = _text(row.get(columns.answer)) if columns.answer else None
    if answer is None:
        return ()
    instruction = _text(row.get(columns.instruction)) if columns.instruction else None
    question = plain_text(instruction or "") or options.instruction
    return (Turn("user", question), Turn("assistant", plain_text(answer)))


def _text(value: JSON) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else None


def _images(value: JSON) -> list[ImageRef]:
    if isinstance(value, str) and value.startswith("["):
        listed = parse_json(value)
        return image_list(listed if isinstance(listed, list) else value)
    return image_list(value)


def parse_json(text: str) -> JSON:
    """Return the value of a JSON text, or None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
