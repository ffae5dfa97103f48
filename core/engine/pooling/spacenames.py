"""The names of spaces: one space, or several that are joined with weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ig4.core.errors import UsageError

_MARKS = frozenset("=,")


def space_parts(space: str) -> dict[str, float]:
    """Return the spaces that a name joins, with their weights, which sum to 1.

    "clip" is one space. "clip=0.7,text=0.3" is two joined; without weights they count alike.

    Raises:
        UsageError: a name is empty or there twice, or a weight is not a number above 0.
    """
    weights: dict[str, float] = {}
    for piece in space.split(","):
        name, equals, weight = (part.strip() for part in piece.partition("="))
        if not name or name in weights:
            why = "a name is empty" if not name else f"{name} stands there twice"
            raise UsageError(f"space {space!r}: {why}; write clip, or clip=0.7,text=0.3")
        weights[name] = _weight(space, weight) if equals else 1.0
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def all_parts(spaces: Iterable[str]) -> tuple[str, ...]:
    """Return the spaces that names join, each once."""
    return tuple(dict.fromkeys(part for space in spaces for part in space_parts(space)))


def check_space_name(name: str) -> None:
    """Refuse a name that would not name one space.

    Raises:
        UsageError: it is empty, or holds a mark of joined spaces.
    """
    if not name.strip() or _MARKS & set(name) or name != name.strip():
        raise UsageError(
            f"a space cannot be called {name!r}: its name needs letters, and neither commas, "
            "equals signs, nor space around it"
        )


def _weight(space: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0):
        raise UsageError(f"space {space!r}: the weight {text!r} is not a number above 0")
    return weight
