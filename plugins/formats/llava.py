"""LLaVA's JSON: conversations between human and gpt, with `<image>` where an image is shown."""

from __future__ import annotations

from pathlib import Path

from ig4.core.records import JSON, Record
from ig4.plugins.formats.jsonrecords import JsonRecords, Parse
from ig4.plugins.formats.turns import (
    complete_turns,
    image_list,
    image_paths,
    parse_messages,
    record_id,
    with_image_marks,
)

_SPEAKERS = {"user": "human", "assistant": "gpt"}


class Llava(JsonRecords):
    """Records are {"id", "image", "conversations": [{"from", "value"}, …]}.

    `image` is a path, a list of paths, or absent for text alone; a missing id is the row's
    number, from 0. `<image>` is taken out of the turns and kept in the record. Records made
    from another format name their image (a list if there are several) and begin the first
    human turn with `<image>` and a line break for each; other speakers keep their names.
    """

    usual_name = "llava.json"

    def recognises(self, record: JSON) -> bool:
        """See `JsonRecords.recognises`. With `images` beside it, it is ShareGPT."""
        turns = record.get("conversations") if isinstance(record, dict) else None
        if not isinstance(turns, list) or not turns or "images" in record:
            return False
        return isinstance(turns[0], dict) and "from" in turns[0] and "value" in turns[0]

    def parser(self, path: Path) -> Parse:
        """See `JsonRecords.parser`."""
        return self._record

    def _record(self, raw: JSON, row: int) -> Record:
        if not isinstance(raw, dict):
            return Record(str(row), (), (), raw)
        turns, _ = parse_messages(raw.get("conversations"), "from", "value")
        image = raw.get("image")
        images = (image,) if isinstance(image, str) and image else tuple(image_list(image))
        return Record(
            record_id(raw.get("id"), row),
            complete_turns(turns, self.options.instruction),
            images,
            raw,
        )

    def make_raw(self, record: Record) -> JSON:
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
