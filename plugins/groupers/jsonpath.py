"""Paths into a record: `$.metadata.kind`, `$["a key"]`, `$.tags[0]`, `$.tags[*]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ig4.core.errors import UsageError
from ig4.core.records import JSON
from ig4.core.texts import one_line

Step = str | int | None
"""A key, a place in a list, or None for each of a list."""

_STEP = re.compile(
    r"\.(?P<key>[^.\[\]\s]+)|\[(?P<place>-?\d+)\]|\[(?P<each>\*)\]|"
    r"\[\"(?P<double>[^\"]+)\"\]|\['(?P<single>[^']+)'\]"
)
_SHOWN = 12


def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a path.

    Raises:
        UsageError: it is none.
    """
    steps: list[Step] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            break
        place, each = found["place"], found["each"]
        key = found["key"] or found["double"] or found["single"]
        steps.append(None if each else int(place) if place else key)
        at = found.end()
    if not text.startswith("$") or not steps or at < len(text):
        raise UsageError(
            f"{text!r} is no path into a record: write $.key, $.key.key, $.list[0] or $.list[*]"
        )
    return tuple(steps)


def values_at(value: JSON, steps: Sequence[Step]) -> Iterator[JSON]:
    """Yield what stands at a path; nothing where it leads nowhere."""
    if not steps:
        yield value
        return
    step, rest = steps[0], steps[1:]
    if step is None:
        for item in value if isinstance(value, list) else ():
            yield from values_at(item, rest)
    elif isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            yield from values_at(value[step], rest)
    elif isinstance(value, dict) and step in value:
        yield from values_at(value[step], rest)


def described(value: JSON, steps: Sequence[Step]) -> str:
    """Return what is there as far as a path leads, for a message."""
    reached, rest = [value], steps
    while rest and (further := [one for item in reached for one in values_at(item, rest[:1])]):
        reached, rest = further, rest[1:]
    found = reached[0]
    if isinstance(found, dict):
        keys = ", ".join(one_line(str(key)) for key in list(found)[:_SHOWN])
        return f"the keys {keys}" if keys else "an object without keys"
    if isinstance(found, list):
        return f"a list of {len(found):,}"
    return f"the value {one_line(str(found))!r}"
