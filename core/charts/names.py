"""Names from data sets as charts can show them: on one line, short for an axis, never equal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

AXIS = 22
"""How wide a name beside an axis may be, in columns of a terminal (letters of Chinese take two)."""

_LONGEST = 300  # characters of a name in a tooltip
_NAMELESS = "(no name)"

_KEYS = frozenset(
    {
        "__proto__", "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable",
        "toLocaleString", "toString", "valueOf", "__defineGetter__", "__defineSetter__",
        "__lookupGetter__", "__lookupSetter__",
    }
)  # fmt: skip


def shown(name: object, longest: int = _LONGEST) -> str:
    """Return a name as a tooltip can show it: one line without characters that cannot be seen.

    Marks that turn the direction of writing, and other control characters, become a visible mark.
    """
    line = " ".join(str(name).split())
    if not line.isprintable():
        line = "".join(map(_visible, line))
    return (line if len(line) <= longest else f"{line[: longest - 1]}…") or _NAMELESS


def short(name: object, width: int = AXIS) -> str:
    """Return a name no wider than `width` columns; of a longer one the middle is left out."""
    text = shown(name)
    if columns(text) <= width:
        return text
    tail = (width - 1) // 3
    head = _first(text, width - 1 - tail)
    return f"{head.rstrip()}…{_first(text[::-1], tail)[::-1].lstrip()}"


def _first(text: str, width: int) -> str:
    """Return as many characters from the start of a text as `width` columns hold."""
    used = 0
    for place, character in enumerate(text):
        used += _columns(character)
        if used > width:
            return text[:place]
    return text


def labels(names: Sequence[object], width: int = AXIS) -> list[str]:
    """Return a label for each name, in order; labels differ even where shortened names do not.

    A name that every object of JavaScript has gets quotes, as Vega takes labels for keys.
    """
    taken: set[str] = set()
    found = []
    for name in names:
        label, number = short(name, width), 1
        if label in _KEYS:
            label = f'"{label}"'
        while label in taken:
            number += 1
            mark = f" ({number})"
            label = short(name, max(2, width - len(mark))) + mark
        taken.add(label)
        found.append(label)
    return found


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _visible(character: str) -> str:
    return character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
