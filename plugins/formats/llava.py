"""LLaVA's JSON: conversations between human and gpt, with `<image>` where an image is shown."""

from __future__ import annotations

from pathlib import Path

from ig4.core.records import JSON, Record
from ig4.plugins.formats.jsonrecords import JsonRecords, Parse
from ig4.plugins.formats.options import ColumnOptions
from ig4.plugins.formats.records.marks import with_image_marks
from ig4.plugins.formats.records.objects import conversation_columns, object_parser
from ig4.plugins.formats.records.turns import image_paths

_MESSAGES = ("conversations", "messages", "conversation", "texts")
_SPEAKERS = {"user": "human", "assistant": "gpt"}


class Llava(JsonRecords):
    """Records are {"id", "image", "conversations": [{"from", "value"}, …]}.

    `image` (or `images`) is a path, a list of paths, anything else that names or holds images, or
    absent for text alone; a missing id is the row's number, from 0. `<image>` is taken out of the
    turns, and its place is kept. Records made from another format name their image (a list if
    there are several) and have `<image>` where each stands, with a line break before the text;
    other speakers keep their names.
    """

    version = "3"
    usual_name = "llava.json"

    def recognises(self, record: JSON) -> bool:
        """See `JsonRecords.recognises`. With `images` beside it, it is ShareGPT."""
        turns = record.get("conversations") if isinstance(record, dict) else None
        if not isinstance(turns, list) or not turns or "images" in record:
            return False
        return isinstance(turns[0], dict) and "from" in turns[0] and "value" in turns[0]

    def parser(self, path: Path) -> Parse:
        """See `JsonRecords.parser`."""
        options = ColumnOptions(instruction=self.options.instruction)
        return object_parser(
            lambda keys: conversation_columns(keys, _MESSAGES), options, marked=True
        )

    def make_raw(self, record: Record, header: JSON = None) -> JSON:
        """See `JsonRecords.make_raw`."""
        images = image_paths(record)
        image_field = {"image": images[0] if len(images) == 1 else images} if images else {}
        turns = with_image_marks(record, "\n")
        return {
            "id": record.id,
            **image_field,
            "conversations": [
                {"from": _SPEAKERS.get(turn.role, turn.role), "value": turn.text} for turn in turns
            ],
        }
