"""Makes the function that reads one JSON object after another, each by its own keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ig4.core.records import JSON, Record
from ig4.plugins.formats.options import ColumnOptions
from ig4.plugins.formats.records.columns import (
    USUAL_NAMES,
    Columns,
    find_columns,
    media_columns,
    record_from_row,
)
from ig4.plugins.formats.records.conversations import looks_like_messages, read_conversation
from ig4.plugins.formats.records.imagefields import NO_IMAGES, shown
from ig4.plugins.formats.records.making import make_record
from ig4.plugins.formats.records.meta import meta_columns
from ig4.plugins.formats.records.speakers import USUAL_SPEAKERS, SpeakerNames

_MAX_KNOWN = 1000  # different sets of keys: records may have endless ones
_IMAGES = ("image_path", "image_paths", "image_file", "image_files", "img", "img_path", "image_url")
_PERHAPS_IMAGES = ("file_name", "filename", "file", "path", "url")


def object_parser(
    columns_of: Callable[[Sequence[str]], Columns],
    options: ColumnOptions,
    *,
    speakers: SpeakerNames = USUAL_SPEAKERS,
    marked: bool = False,
) -> Callable[[JSON, int], Record]:
    """Return the function from a JSON record and its number (from 0) to a Record."""
    known: dict[tuple[str, ...], Columns] = {}

    def parse(raw: JSON, row: int) -> Record:
        if not isinstance(raw, dict):
            return record_of_other(raw, row, options.instruction, speakers)
        keys = tuple(raw)
        columns = known.get(keys)
        if columns is None:
            columns = columns_of(keys)
            if len(known) < _MAX_KNOWN:
                known[keys] = columns
        return record_from_row(raw, columns, options, row, raw, speakers=speakers, marked=marked)

    return parse


def record_of_other(
    raw: JSON, row: int, instruction: str, speakers: SpeakerNames = USUAL_SPEAKERS
) -> Record:
    """Return the record of something that is no object: a bare list of messages can be read."""
    if looks_like_messages(raw):
        conversation = read_conversation(raw, speakers)
        return make_record(str(row), conversation, NO_IMAGES, raw, instruction)
    return Record(str(row), (), (), raw, f"the record is {_kind(raw)}, not an object with keys")


def conversation_columns(
    keys: Iterable[str],
    order: Sequence[str],
    *,
    images: str | None = None,
    system: str | None = None,
) -> Columns:
    """Return the columns of a record that should be a conversation, under the first of `order`.

    A record without one is read as a pair, if it is one. The id is under `id` alone.
    """
    present = dict.fromkeys(keys)
    messages = next((name for name in order if name in present), None)
    if messages is None:
        found = find_columns(present, ColumnOptions())
        if found.answer is not None or found.messages is not None:
            return found
        return replace(found, id="id")
    image = images or next((n for n in ("images", "image", *_IMAGES) if n in present), None)
    both = images is None and "image" in present and image == "images"
    return Columns(
        id="id",
        image=image,
        messages=messages,
        system=system or next((n for n in USUAL_NAMES["system"] if n in present), None),
        more_images="image" if both else None,
        marked_image=next((n for n in _PERHAPS_IMAGES if n in present), None),
        media=media_columns(present),
        meta=meta_columns(present, taken={messages, image, system}),
    )


def _kind(raw: JSON) -> str:
    names = {type(None): "null", bool: "true or false", list: "a list", str: "a text"}
    return names.get(type(raw), f"the number {shown(raw)}")
