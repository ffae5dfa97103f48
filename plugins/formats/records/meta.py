"""Finds what a record tells of itself beside its texts and images: its source, task and split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import NamedTuple

from ig4.core.records import JSON, Record
from ig4.core.texts import sanitize

USUAL: Mapping[str, tuple[str, ...]] = {
    "source": ("source", "data_source", "datasource", "source_dataset", "dataset_source",
               "dataset", "dataset_name", "data_name", "origin"),
    "task": ("task", "task_type", "task_name", "question_type", "category", "type"),
    "split": ("split",),
}  # fmt: skip
"""The usual names of the columns, by priority; case does not matter."""

LONGEST = 100
"""The most characters of a value; what is longer is a text of its own, and names no kind."""

_PLAIN = ("image_id", "caption")


class MetaColumn(NamedTuple):
    """A column, and the key of `Sample.meta` that it fills."""

    key: str
    name: str


def meta_columns(
    names: Iterable[str],
    named: Mapping[str, str | None] | None = None,
    taken: Set[str | None] = frozenset(),
) -> tuple[MetaColumn, ...]:
    """Return the columns that tell what a sample is: as `named` by key, else the usual ones.

    A column that is `taken` for a text, an image or the id tells nothing else.
    """
    lower = {name.strip().lower(): name for name in reversed(list(names)) if name not in taken}
    found = []
    for key, usual in USUAL.items():
        own = named.get(key) if named else None
        column = own or next((lower[name] for name in usual if name in lower), None)
        if column is not None:
            found.append(MetaColumn(key, column))
    return tuple(found)


def meta_of(row: Mapping[str, JSON], columns: Iterable[MetaColumn]) -> dict[str, JSON]:
    """Return what the columns of a row tell: short texts, and whole numbers as texts."""
    found = {}
    for key, name in columns:
        value = row.get(name)
        if type(value) is int:
            value = str(value)
        if type(value) is str and len(value) <= LONGEST and (text := _cleaned(value)):
            found[key] = text
    return found


@lru_cache(maxsize=4096)  # few differ
def _cleaned(text: str) -> str:
    return sanitize(" ".join(text.split()))


def with_meta(record: Record, raw: JSON) -> Record:
    """Return a record with what the keys of its object tell."""
    if not isinstance(raw, dict) or tuple(raw) == _PLAIN:
        return record
    meta = meta_of(raw, meta_columns(raw, taken=frozenset(_PLAIN)))
    return record._replace(meta=meta) if meta else record
