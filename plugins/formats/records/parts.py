"""Reads the content of a message: a text, or parts of which some are texts and some images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ig4.core.records import JSON
from ig4.plugins.formats.records.imagefields import (
    IMAGE_KEYS,
    NO_IMAGES,
    has_tags,
    read_images,
    shown,
    split_tags,
)
from ig4.plugins.formats.records.marks import SLOT, Passage, Piece, usual_marks
from ig4.plugins.formats.records.speakers import TEXT_KEYS

_TEXT_TYPES = ("text", "input_text", "output_text")
_IMAGE_TYPES = ("image", "image_url", "input_image", "img", "image_file")
MEDIA_KEYS = ("video", "videos", "audio", "audios")
"""The keys under which a record or a part holds videos or sounds."""
_MEDIA_TYPES = ("video", "video_url", "input_video", "audio", "audio_url", "input_audio")

MEDIA = "the record shows a video or sound, and ig4 reads images alone"

Refuse = Callable[[str], None]
"""What is called with a problem of the conversation."""


def text_passage(role: str, text: str) -> Passage:
    """Return a passage of one text, in which marks and tags of images may stand."""
    return Passage(role, _text_pieces(text))


def content_passage(role: str, content: JSON, refuse: Refuse) -> Passage:
    """Return the passage of a message's content; what cannot be read in it is refused."""
    if isinstance(content, str):
        return Passage(role, _text_pieces(content))
    if isinstance(content, (list, dict)):
        pieces: list[Piece] = []
        for part in content if isinstance(content, list) else [content]:
            pieces += _part_pieces(part, refuse)
        return Passage(role, pieces, "\n")
    return Passage(role, ["" if content is None else str(content)])


def _part_pieces(part: JSON, refuse: Refuse) -> list[Piece]:
    if isinstance(part, str):
        return _text_pieces(part)
    if not isinstance(part, dict):
        refuse(f"a part of a content is {shown(part)}, which is no object")
        return []
    kind = part.get("type")
    if kind in _TEXT_TYPES or (kind is None and not _image_key(part)):
        text = next((part[key] for key in ("text", *TEXT_KEYS) if key in part), None)
        if isinstance(text, str) or (text is None and kind is not None):
            return _text_pieces(text or "")
    elif kind in _IMAGE_TYPES or kind is None:
        return [_part_image(part)]
    if kind in _MEDIA_TYPES or (kind is None and any(part.get(key) for key in MEDIA_KEYS)):
        refuse(MEDIA)
    elif kind is None:
        keys = ", ".join(shown(key) for key in list(part)[:4])
        refuse(f"a part of a content has no type, and the keys {keys}")
    else:
        refuse(f"a part of a content is of the type {shown(kind)}, which is not read")
    return []


def _image_key(part: Mapping[str, JSON]) -> bool:
    """Tell whether a part without a type is an image; {"text": …, "image": null} is a text."""
    keys = ("image", "image_url", "input_image", "bytes", "images", "file_name", "path", "url")
    named = any(part.get(key) is not None for key in keys)
    return named and not isinstance(part.get("text"), str)


def _part_image(part: Mapping[str, JSON]) -> Piece:
    """Return the images that a part names, or SLOT if it names none."""
    kind = part.get("type")
    if isinstance(kind, str) and part.get(kind) is not None:
        read = read_images(part[kind])
    else:
        named = {key: part[key] for key in part if key in IMAGE_KEYS}
        read = read_images(named) if named else NO_IMAGES
    return SLOT if not read.refs and read.problem is None else read


def _text_pieces(text: str) -> list[Piece]:
    if "<" not in text:
        return [text]
    text = usual_marks(text)
    if not has_tags(text):
        return [text]
    pieces: list[Piece] = [piece for piece in split_tags(text) if piece != ""]
    return pieces or [text]
