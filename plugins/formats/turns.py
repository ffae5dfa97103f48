"""Converts the conversations of data sets to turns and back."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from ig4.core.files.tables import text_id
from ig4.core.records import JSON, Record, Turn

IMAGE = "<image>"
"""The placeholder of an image in a turn's text."""

ImageRef: TypeAlias = str | bytes

ROLES: Mapping[str, str] = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "system": "system",
    "observation": "tool",
    "function": "tool",
    "function_call": "tool",
    "tool": "tool",
}
"""The roles by data sets' names of the speakers; any other name counts as a tool."""


def record_id(value: JSON, row: int) -> str:
    """Return an id as text, or the row's number (from 0) if there is none."""
    return text_id(value) or str(row)


def plain_text(text: str) -> str:
    """Return a turn's text without the placeholders of images."""
    return text.replace(IMAGE, "").strip() if IMAGE in text else text


def complete_turns(turns: Sequence[Turn], instruction: str) -> tuple[Turn, ...]:
    """Return the turns, () without an answer; without a question `instruction` becomes one."""
    roles = [turn.role for turn in turns]
    if "assistant" not in roles:
        return ()
    if "user" in roles:
        return tuple(turns)
    at = roles.index("assistant")
    return (*turns[:at], Turn("user", instruction), *turns[at:])


def parse_messages(
    messages: JSON, role_key: str, text_key: str, roles: Mapping[str, str] = ROLES
) -> tuple[list[Turn], list[ImageRef]]:
    """Return the turns of a list of messages, and the images that stand between their texts.

    Anything that is not a message is skipped.
    """
    turns: list[Turn] = []
    images: list[ImageRef] = []
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            continue
        role, text = message.get(role_key), message.get(text_key)
        if not isinstance(role, str):
            continue
        if not isinstance(text, str):
            text = _content(text, images)
        if IMAGE in text:
            text = plain_text(text)
        turns.append(Turn(roles.get(role, "tool"), text))
    return turns, images


def message_keys(messages: JSON) -> tuple[str, str]:
    """Return the names that messages give to the speaker and the text."""
    first: Any = messages[0] if isinstance(messages, list) and messages else None
    names = first if isinstance(first, dict) else {}
    return ("from" if "from" in names else "role", "value" if "value" in names else "content")


def image_list(value: JSON) -> list[ImageRef]:
    """Return the images that a value names: a path, an object with one, or a list of these."""
    if isinstance(value, list):
        return [image for item in value for image in image_list(item)]
    if isinstance(value, dict):
        named = next((value[key] for key in ("path", "url", "image_url") if value.get(key)), None)
        return image_list(named)
    return [_image(value)] if isinstance(value, str) and value else []


def text_of_role(record: Record, role: str) -> str:
    """Return the texts of one speaker, joined by newlines."""
    return "\n".join(turn.text for turn in record.turns if turn.role == role)


def is_pair(record: Record) -> bool:
    """Return whether a record is one instruction and one answer."""
    return [turn.role for turn in record.turns] == ["user", "assistant"]


def image_paths(record: Record) -> list[str]:
    """Return the paths of a record's images."""
    return [image for image in record.images if isinstance(image, str)]


def with_image_marks(record: Record, separator: str) -> list[Turn]:
    """Return the turns with a mark for each image before the first text of the user."""
    marks = (IMAGE + separator) * len(record.images)
    turns = list(record.turns)
    at = next((i for i, turn in enumerate(turns) if turn.role == "user"), None)
    if at is not None:
        turns[at] = Turn("user", marks + turns[at].text)
    return turns


def _content(content: JSON, images: list[ImageRef]) -> str:
    """Return the text of a message's content, adding the images in it to `images`."""
    if isinstance(content, list):
        return "\n".join(filter(None, [_part(part, images) for part in content]))
    if isinstance(content, dict):
        return _part(content, images)
    return "" if content is None else str(content)


def _part(part: JSON, images: list[ImageRef]) -> str:
    if not isinstance(part, dict):
        return part if isinstance(part, str) else ""
    kind = part.get("type")
    if kind in ("image", "image_url"):
        for key in ("value", kind, "image", "url", "path"):
            if part.get(key):
                images += image_list(part[key])
                break
        return ""
    text = part.get("text", part.get("value"))
    return text if isinstance(text, str) and kind in ("text", None) else ""


def _image(name: str) -> ImageRef:
    """Return a path as it is, and the bytes of a `data:` URL."""
    if not name.startswith("data:"):
        return name
    try:
        return base64.b64decode(name.partition(",")[2], validate=True)
    except binascii.Error:
        return name
