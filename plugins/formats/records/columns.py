"""Finds the columns of a table, and converts its rows to records and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ig4.core.errors import DatasetError
from ig4.core.files.images.names import rename_images
from ig4.core.files.reading.tables import ID_COLUMNS
from ig4.core.records import JSON, Record, Turn
from ig4.plugins.formats.options import ColumnOptions
from ig4.plugins.formats.records.conversations import (
    Conversation,
    looks_like_messages,
    read_conversation,
    usual_turns,
)
from ig4.plugins.formats.records.imagefields import (
    NO_IMAGES,
    ImageField,
    ImageRef,
    read_cell,
    read_images,
    shown,
)
from ig4.plugins.formats.records.making import NO_CONVERSATION, make_record
from ig4.plugins.formats.records.marks import IMAGE, Passage, count_marks, with_image_marks
from ig4.plugins.formats.records.meta import MetaColumn, meta_columns, meta_of
from ig4.plugins.formats.records.parts import MEDIA_KEYS, text_passage
from ig4.plugins.formats.records.speakers import USUAL_SPEAKERS, SpeakerNames
from ig4.plugins.formats.records.turns import id_remarks, is_pair, record_id, text_of_role

USUAL_NAMES: Mapping[str, Sequence[str]] = {
    "id": ID_COLUMNS,
    "image": ("image", "images", "image_path", "image_file", "img", "img_path", "file_name",
              "filename", "path", "image_url"),
    "instruction": ("instruction", "question", "prompt", "query", "input"),
    "answer": ("answer", "caption", "response", "output", "completion", "text", "description"),
    "messages": ("messages", "conversations", "conversation", "texts", "dialog", "dialogue"),
    "input": ("input",),
    "system": ("system", "system_prompt"),
    "history": ("history",),
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
    input: str | None = None
    """What the instruction is about, as Alpaca has it: it follows the instruction on a new line."""
    system: str | None = None
    history: str | None = None
    """Earlier pairs of question and answer."""
    more_images: str | None = None
    """`images` beside `image`."""
    marked_image: str | None = None
    """What names images only if marks in the texts show some: a file name may mean anything."""
    media: tuple[str, ...] = ()
    """The columns of videos and sounds."""
    meta: tuple[MetaColumn, ...] = ()
    """The columns that tell what a sample is, beside its texts and images."""


OWN_COLUMNS = Columns("id", "images", "instruction", "answer", "messages")
"""The columns of a table made from records of another format."""


_SHOWN_KEYS = 6
_ALPACA = ("instruction", "prompt")


def find_columns(names: Iterable[str], options: ColumnOptions) -> Columns:
    """Return the columns among `names`, as the options say or by their usual names."""
    present = {name: name for name in names}
    lower = {name.strip().lower(): name for name in reversed(present)}
    found: dict[str, Any] = {}
    for meaning, usual in USUAL_NAMES.items():
        option = getattr(options, f"{meaning}_column")
        if option is not None:
            found[meaning] = present.get(option)
        else:
            found[meaning] = next((lower[name] for name in usual if name in lower), None)
    if options.input_column is None and (found["instruction"] or "").lower() not in _ALPACA:
        found["input"] = None  # "input" stands for the instruction itself, or for anything
    if options.image_column is None and (found["image"] or "").lower() == "image":
        found["more_images"] = lower.get("images")
    named = {"source": options.source_column, "task": options.task_column}
    meta = meta_columns(present, named, set(found.values()))
    return Columns(media=media_columns(present), meta=meta, **found)


def media_columns(names: Iterable[str], *more: str) -> tuple[str, ...]:
    """Return the columns of videos or sounds among `names`: usual ones, or one of `more`."""
    return tuple(name for name in names if name in MEDIA_KEYS or name in more)


def require_columns(path: Path, names: Sequence[str], options: ColumnOptions) -> Columns:
    """Return the columns of a table, and check that it has an answer.

    Raises:
        DatasetError: an option names a missing column, or no column holds the answer.
    """
    listed = ", ".join(map(repr, names))
    for meaning in (*USUAL_NAMES, "source", "task"):
        option = getattr(options, f"{meaning}_column")
        if option is not None and option not in names:
            raise DatasetError(f"{path} has no column {option!r}: its columns are {listed}")
    columns = find_columns(names, options)
    if columns.answer is None and columns.messages is None:
        if not names:
            raise DatasetError(f"{path} has no columns")
        raise DatasetError(
            f"{path}: no column is known to hold the answer; name one of {listed} with "
            "-o answer_column=…"
        )
    return columns


def record_from_row(
    row: Mapping[str, JSON],
    columns: Columns,
    options: ColumnOptions,
    number: int,
    raw: JSON,
    *,
    embedded: Sequence[ImageRef] = (),
    speakers: SpeakerNames = USUAL_SPEAKERS,
    marked: bool = False,
) -> Record:
    """Return the record of a row; without turns if it holds no answer.

    `image` is what `read_images` takes, also as JSON text; `messages` a conversation or the JSON
    text of one; several answers are joined by newlines. `embedded` holds images that the row
    refers to as {"$image": n}, and `marked` says that each image should have a mark in the texts.
    """
    record = _record(row, columns, options, number, raw, embedded, speakers, marked=marked)
    if columns.meta:
        meta = meta_of(row, columns.meta)
        return record._replace(meta=meta) if meta else record
    return record


def _record(
    row: Mapping[str, JSON],
    columns: Columns,
    options: ColumnOptions,
    number: int,
    raw: JSON,
    embedded: Sequence[ImageRef],
    speakers: SpeakerNames,
    *,
    marked: bool,
) -> Record:
    given = row.get(columns.id) if columns.id else None
    identity = record_id(given, number)
    remarks = id_remarks(given)
    images = _images(row, columns, embedded)
    has_media = bool(columns.media) and any(row.get(key) for key in columns.media)
    if images.problem is None and not has_media and not options.image_path:
        turns = _usual_turns(row, columns, len(images.refs), speakers)
        if turns is not None:
            return Record(identity, turns, images.refs, raw, None, remarks)
    conversation = _conversation(row, columns, speakers)
    if conversation is None:
        conversation = _pair(row, columns, options)
        marked = False
    if columns.system:
        _add_system(conversation, row.get(columns.system))
    conversation.remarks += remarks
    if columns.marked_image and not images.refs and count_marks(conversation.passages):
        images = _field(row.get(columns.marked_image), embedded)
    if options.image_path and not images.refs and not conversation.shows_images:
        images = ImageField((options.image_path.replace("{id}", identity),))
    return make_record(
        identity, conversation, images, raw, options.instruction, marked=marked, media=has_media
    )


def _usual_turns(
    row: Mapping[str, JSON], columns: Columns, images: int, speakers: SpeakerNames
) -> tuple[Turn, ...] | None:
    """Return the turns of a row of the most usual kinds, in a fraction of the time.

    That is a conversation as `usual_turns` has it, or a question and an answer that are plain texts
    without marks, and nothing that belongs before them. None for all others.
    """
    if columns.system and row.get(columns.system) not in (None, ""):
        return None
    if columns.messages and row.get(columns.messages) not in (None, ""):
        return usual_turns(row.get(columns.messages), images, speakers)
    for before in (columns.history, columns.input):
        if before and row.get(before) not in (None, ""):
            return None
    question = row.get(columns.instruction) if columns.instruction else None
    answer = row.get(columns.answer) if columns.answer else None
    if type(question) is not str or type(answer) is not str or not question.strip():
        return None
    if "<" in question or "<" in answer:
        return None
    return (Turn("user", question), Turn("assistant", answer))


def row_from_record(record: Record, columns: Columns) -> dict[str, JSON]:
    """Return the row of a record made from another format, in the columns given.

    Instruction and answer are the turns of user and assistant, joined by newlines; messages
    hold the conversation where it is more than one pair, else None. Marks show where images stand
    unless all stand before the first question. Lone surrogates, which JSON can hold and tables
    cannot, become question marks.
    """
    if record.places is not None:
        record = record._replace(turns=tuple(with_image_marks(record, "\n")))
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
    row: Mapping[str, JSON], columns: Columns, speakers: SpeakerNames
) -> Conversation | None:
    """Return the conversation of a row, or None if it has none but may hold a pair."""
    value = row.get(columns.messages) if columns.messages else None
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        value = parse_json(value)
    has_pair = columns.answer is not None and row.get(columns.answer) is not None
    if has_pair and not (looks_like_messages(value) or (isinstance(value, list) and value)):
        return None
    if columns.messages is None or value is None:
        return None
    return read_conversation(value, speakers)


def _pair(row: Mapping[str, JSON], columns: Columns, options: ColumnOptions) -> Conversation:
    found = Conversation()
    value = row.get(columns.answer) if columns.answer else None
    answer = _text(value)
    if answer is None:
        found.refuse(_no_answer(value, row))
        return found
    if columns.history:
        _add_history(found, row.get(columns.history))
    instruction = _text(row.get(columns.instruction)) if columns.instruction else None
    more = _text(row.get(columns.input)) if columns.input else None
    question = "\n".join(text for text in (instruction, more) if text)
    asked = text_passage("user", question)
    if not any(text.replace(IMAGE, "").strip() for text in asked.texts):
        asked = Passage("user", [*(p for p in asked.pieces if p != ""), options.instruction])
    if question or found.passages:  # else the instruction is put in, and images stand before it
        found.passages.append(asked)
    found.passages.append(text_passage("assistant", answer))
    return found


def _no_answer(value: JSON, row: Mapping[str, JSON]) -> str:
    if value is None or value == []:
        keys = ", ".join(shown(key) for key in list(row)[:_SHOWN_KEYS])
        return f"{NO_CONVERSATION}; it has the keys {keys}" if keys else NO_CONVERSATION
    return f"its answer is {shown(value)}, which is no text"


def _add_history(found: Conversation, value: JSON) -> None:
    """Read what was said before the question: pairs of texts, or messages."""
    listed = parse_json(value) if isinstance(value, str) and value.startswith("[") else value
    if listed in (None, "", []):
        return
    earlier = read_conversation(listed)
    found.passages += earlier.passages
    if earlier.problem is not None:
        found.refuse(f"its history cannot be read: {earlier.problem}")


def _add_system(conversation: Conversation, value: JSON) -> None:
    text = _text(value)
    if text and not (conversation.passages and conversation.passages[0].role == "system"):
        conversation.passages.insert(0, text_passage("system", text))


def _images(row: Mapping[str, JSON], columns: Columns, embedded: Sequence[ImageRef]) -> ImageField:
    found = _field(row.get(columns.image), embedded) if columns.image else NO_IMAGES
    if columns.more_images is None:
        return found
    return _union(found, _field(row.get(columns.more_images), embedded))


def _field(value: JSON, embedded: Sequence[ImageRef]) -> ImageField:
    return read_images(value, embedded) if embedded else read_cell(value)


def _union(one: ImageField, other: ImageField) -> ImageField:
    """Return the images of `image` and `images`, which often say the same."""
    problem = one.problem or other.problem
    for few, many in ((one.refs, other.refs), (other.refs, one.refs)):
        if not set(few) - set(many):
            return ImageField(many, problem)
    return ImageField(one.refs + other.refs, problem or "image and images name different images")


def _text(value: JSON) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else None


def parse_json(text: str) -> JSON:
    """Return the value of a JSON text, or None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
