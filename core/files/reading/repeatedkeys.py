"""Finds keys that stand more than once in a JSON object, of which decoders keep the last alone."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ig4.core.records import JSON

_CONTAINERS = (dict, list)


class RepeatedKeyError(ValueError):
    """A key of an object stands twice, with different values."""


class RepeatedKeys(dict[str, Any]):
    """An object that holds itself, or in what is below it, a key more than once; `key` is one."""

    def __init__(self, values: dict[str, Any], key: str) -> None:
        super().__init__(values)
        self.key = key


def marked(value: JSON, text: str, start: int, end: int) -> JSON:
    """Return the value of `text[start:end]`, as RepeatedKeys if a key repeats and it is an object.

    Nearly always the keys are as many as the text has quotation marks before colons, and so none
    is repeated; only else is the text decoded again.
    """
    if not isinstance(value, dict):
        return value
    if _count_keys(value) == text.count('":', start, end) and text.find('" :', start, end) < 0:
        return value
    repeated: list[str] = []

    def note(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        made = dict(pairs)
        if len(made) < len(pairs):
            repeated.extend(_repeated(pairs))
        return made

    json.loads(text[start:end], object_pairs_hook=note)
    return RepeatedKeys(value, repeated[0]) if repeated else value


def refuse_repeated(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    """Return an object of pairs, for the hook of a decoder.

    Raises:
        RepeatedKeyError: a key has two values, so that nobody knows which was meant.
    """
    made = dict(pairs)
    if len(made) < len(pairs):
        for key, value in pairs:
            if made[key] != value:
                raise RepeatedKeyError(f"the key {key[:40]!r} stands in it with two values")
    return made


def _repeated(pairs: list[tuple[str, JSON]]) -> list[str]:
    counts = Counter(key for key, _ in pairs)
    return [key for key, count in counts.items() if count > 1]


def _count_keys(value: dict[str, JSON]) -> int:
    count = 0
    todo: list[Any] = [value]
    for one in todo:  # grows on the way
        if type(one) is dict:
            count += len(one)
            for inner in one.values():
                if type(inner) is not str and type(inner) in _CONTAINERS:
                    todo.append(inner)  # noqa: PERF401 - a generator takes twice as long
        elif type(one) is list:
            todo += one
    return count
