"""Gives the images in a record of a data set other names, and changes nothing else in it.

Where in a record its images are named is known to its reader alone. So a text of the record is
changed and read again: if then one image has the new name, and all else is as before, that text is
the place.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ig4.core.records import JSON, ImagePart, Record

Parse = Callable[[JSON], Record]
Shown = str | bytes | ImagePart
"""An image of a record."""

Place = tuple[str | int, ...]
"""The keys and numbers that lead to a text in JSON."""

_KEYS = ("image", "images")
_MOST_TEXTS = 2000


def rename_images(raw: JSON, images: Sequence[str | bytes], parse: Parse) -> JSON:
    """Return `raw` so that `parse` reads `images` in it, and all else as before.

    Images that are bytes stay what they are. None if that cannot be done.
    """
    before = parse(raw)
    if len(before.images) != len(images):
        return _with_key(raw, before, images, parse) if not before.images else None
    marked, current = raw, list(before.images)
    marks: dict[str, str] = {}
    for index, image in enumerate(images):
        if isinstance(image, bytes) or image == before.images[index]:
            continue
        mark = f"ig4-image/{secrets.token_hex(8)}-{index}.png"
        found = _marked(marked, current, index, mark, parse, before)
        if found is None:
            return _with_key(raw, before, images, parse)
        marked, current[index] = found, mark
        marks[mark] = image
    named = _replaced(marked, marks)
    return named if _is_same(parse(named), before, images) else None


def rename_texts(raw: JSON, record: Record, images: Sequence[str | bytes]) -> JSON:
    """Return `raw` with the names of images replaced, without knowing how it is read.

    That is possible where each name stands there as often as the record has it, and nowhere else:
    neither as the id nor as a turn. None otherwise.
    """
    pairs = list(zip(record.images, images, strict=True))
    old = [name for name, _ in pairs if isinstance(name, str)]
    texts = [text for _, text in _texts(raw)]
    if any(isinstance(name, bytes) != isinstance(new, bytes) for name, new in pairs):
        return None
    others = {record.id, *(turn.text for turn in record.turns)}
    if any(name in others or texts.count(name) != old.count(name) for name in old):
        return None
    following = [new for _, new in pairs if isinstance(new, str)]
    for place, text in list(_texts(raw)):
        if text in old:
            at = old.index(text)
            raw = _set(raw, place, following[at])
            del old[at], following[at]
    return raw


def _marked(
    raw: JSON, current: list[Shown], index: int, mark: str, parse: Parse, before: Record
) -> JSON:
    """Return `raw` with a mark where the image of a number is named, or None."""
    name = current[index]
    if not isinstance(name, str) or not name:
        return None
    wanted = [*current[:index], mark, *current[index + 1 :]]
    for place, text in _candidates(raw, name):
        for changed in _variants(text, name, mark):
            made = _set(raw, place, changed)
            if _is_same(parse(made), before, wanted):
                return made
    return None


def _candidates(raw: JSON, name: str) -> list[tuple[Place, str]]:
    """Return texts that may name an image, likely ones first."""
    texts = [one for _, one in zip(range(_MOST_TEXTS), _texts(raw), strict=False)]
    last = name.replace("\\", "/").rsplit("/", 1)[-1]

    def unlikely(one: tuple[Place, str]) -> int:
        text = one[1]
        return 0 if text == name else 1 if name in text else 2 if last in text else 3

    return sorted((one for one in texts if unlikely(one) < 3 or len(one[1]) < 4096), key=unlikely)


def _variants(text: str, name: str, mark: str) -> Iterator[str]:
    """Yield a text with one mention of a name replaced; at last, the whole text."""
    for form in dict.fromkeys(
        (name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1])
    ):
        at = text.find(form) if form != text else -1
        while at >= 0:
            yield text[:at] + mark + text[at + len(form) :]
            at = text.find(form, at + 1)
    yield mark


def _with_key(raw: JSON, before: Record, images: Sequence[str | bytes], parse: Parse) -> JSON:
    """Return `raw` with a key of its own for the images, or None if it is not read so."""
    if not isinstance(raw, dict) or not all(isinstance(image, str) for image in images):
        return None
    for key in _KEYS:
        for value in ([images[0]] if len(images) == 1 else []) + [list(images)]:
            made = {**raw, key: value}
            if _is_same(parse(made), before, images):
                return made
    return None


def _is_same(now: Record, before: Record, images: Sequence[Shown]) -> bool:
    """Tell whether a record is as before but for its images; bytes stand for those it had."""
    return (
        (now.id, now.turns) == (before.id, before.turns)
        and len(now.images) == len(images)
        and all(
            own == image or (isinstance(image, bytes) and isinstance(own, bytes))
            for own, image in zip(now.images, images, strict=True)
        )
    )


def _texts(value: JSON, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield all texts in JSON but keys, and where they stand."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, (*place, number))


def _set(value: JSON, place: Place, text: str) -> JSON:
    """Return JSON with another text at a place; what was given stays as it is."""
    if not place:
        return text
    copy: Any = value.copy()
    copy[place[0]] = _set(value[place[0]], place[1:], text)
    return copy


def _replaced(value: JSON, texts: dict[str, str]) -> JSON:
    for place, text in list(_texts(value)):
        made = text
        for mark, name in texts.items():
            made = made.replace(mark, name)
        if made != text:
            value = _set(value, place, made)
    return value
