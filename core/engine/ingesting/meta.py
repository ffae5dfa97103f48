"""What a data set tells of a sample beside its texts and images, as it is stored and read back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from ig4.core.records import JSON
from ig4.core.texts import one_line

if TYPE_CHECKING:
    from ig4.storage.samples import SampleRow

MOST_KEYS = 32
"""The most keys of a record's `meta` that are stored."""


def stored_meta(meta: Mapping[str, JSON]) -> str | None:
    """Return the `meta` of a record as JSON text: short texts, numbers and truth values alone.

    None where nothing is left.
    """
    items = tuple(meta.items())[:MOST_KEYS]
    if all(type(value) is str for _, value in items):
        return _text_of_texts(items)
    return _text_of(items)


def _text_of(items: Iterable[tuple[str, JSON]]) -> str | None:
    told = {}
    for key, value in items:
        plain = _plain(value)
        if plain is not None and isinstance(key, str):
            told[one_line(key)] = plain
    return json.dumps(told) if told else None


def meta_of(row: SampleRow, answers: int, dataset: str | None = None) -> dict[str, JSON]:
    """Return `Sample.meta` of a stored sample that has so many answers."""
    found = _told(row.meta)
    if row.images:
        first = row.images[0]
        folder = None if first.embedded else folder_of(first.name)
        sizes = {"folder": folder, "width": first.width, "height": first.height}
        found.update((key, value) for key, value in sizes.items() if value is not None)
    found["images"] = len(row.images)
    found["turns"] = answers
    if dataset is not None:
        found["dataset"] = dataset
    return found


def folder_of(name: str) -> str | None:
    """Return the folder of an image as the data set writes it, None where it is in none."""
    separator = "/" if "/" in name else "\\"
    return name.rpartition(separator)[0] or None


_text_of_texts = lru_cache(maxsize=4096)(_text_of)  # few differ; of numbers, 1 equals True


def _plain(value: JSON) -> JSON:
    if isinstance(value, str):
        return one_line(value) or None
    if isinstance(value, (bool, int)):
        return value if abs(value) < 2**63 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _told(text: str | None) -> dict[str, JSON]:
    """Return what was stored; a row that is damaged tells nothing."""
    if text is None:
        return {}
    try:
        told = json.loads(text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
