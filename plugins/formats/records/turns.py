"""What formats ask of a record's id and turns."""

from __future__ import annotations

import math

from ig4.core.files.reading.repeatedkeys import RepeatedKeys
from ig4.core.files.reading.tables import text_id
from ig4.core.records import JSON, Record
from ig4.plugins.formats.records.imagefields import shown

NO_ID = "their id is neither text nor a number; the number of the row stands in"


def record_id(value: JSON, row: int) -> str:
    """Return an id as text, or the row's number (from 0) if there is none."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(row)
    return text_id(value) or str(row)


def id_remarks(value: JSON) -> tuple[str, ...]:
    """Return the remark that an id cannot be one, if that is so; a missing id is none."""
    if value is None or (isinstance(value, (str, int)) and not isinstance(value, bool)):
        return ()
    if isinstance(value, float) and math.isfinite(value):
        return ()
    return (NO_ID,)


def with_key_remark(record: Record, raw: JSON) -> Record:
    """Return a record with the remark that a key of it stands more than once, if that is so."""
    if type(raw) is not RepeatedKeys:
        return record
    remark = f"the key {shown(raw.key)} stands more than once in an object; its last value counts"
    return record._replace(remarks=(*record.remarks, remark))


def text_of_role(record: Record, role: str) -> str:
    """Return the texts of one speaker, joined by newlines."""
    return "\n".join(turn.text for turn in record.turns if turn.role == role)


def is_pair(record: Record) -> bool:
    """Return whether a record is one instruction and one answer."""
    return [turn.role for turn in record.turns] == ["user", "assistant"]


def image_paths(record: Record) -> list[str]:
    """Return the paths of a record's images."""
    return [image for image in record.images if isinstance(image, str)]
