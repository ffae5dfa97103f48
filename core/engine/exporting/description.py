"""Writes a dataset_info.json beside an export whose keys and speakers have names of their own.

It is the list of data sets that LLaMA-Factory reads, and by which ig4 reads the export again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.errors import DatasetError
from ig4.core.files.reading.encodings import read_json
from ig4.core.files.writing.atomic import replacing
from ig4.core.files.writing.written import is_unchanged, read_manifest
from ig4.core.records import JSON, Record

if TYPE_CHECKING:
    from ig4.core.contracts import Format
    from ig4.core.files.writing.staging import Staging

INFO = "dataset_info.json"
_MADE = ("messages", "prompt", "response")
"""The columns that each record has that is made from turns."""


@dataclass(slots=True)
class WrittenKeys:
    """Which keys the records of an export have: a column that no record has may not be named."""

    keys: set[str] = field(default_factory=set)
    made: bool = False
    images: bool = False

    def of(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records as they are."""
        for record in records:
            if isinstance(record.raw, dict):
                self.keys.update(record.raw)
            else:
                self.made = True
                self.images = self.images or bool(record.images)
            yield record

    def columns(self, named: Mapping[str, str]) -> dict[str, str]:
        """Return those of an entry's columns that are there."""
        made = {*_MADE, *(("images",) if self.images else ())} if self.made else set()
        return {
            meaning: name for meaning, name in named.items() if name in self.keys or meaning in made
        }


def write_description(
    staging: Staging, form: Format, header: JSON, written: WrittenKeys, *, overwrite: bool
) -> tuple[Path, ...]:
    """Write the entry of an export where it needs one; returns the file to be.

    Entries of other exports in the folder are kept.
    """
    entry = form.describe(staging.path, header)
    if entry is None:
        return ()
    columns: Any = entry.get("columns")
    if isinstance(columns, dict):
        entry["columns"] = written.columns(columns)
    folder = form.image_folder(staging.path)
    file = folder / INFO
    known = _entries(staging.final(file), overwrite=overwrite)
    known[_name(known, entry)] = entry
    with replacing(file) as partial:
        partial.write_text(json.dumps(known, indent=2, ensure_ascii=True) + "\n", encoding="utf-8")
    return (staging.final(file),)


def _name(known: Mapping[str, Any], entry: Mapping[str, JSON]) -> str:
    """Return the name of an entry: the one that its file has, or else the file's stem."""
    own = entry["file_name"]
    assert isinstance(own, str)
    for name, other in known.items():
        if isinstance(other, dict) and other.get("file_name") == own:
            return name
    stem = Path(own).stem
    return stem if stem not in known else own


def _entries(place: Path, *, overwrite: bool) -> dict[str, Any]:
    """Return the entries of a list that is there: ig4's own, or that may be written over."""
    try:
        status = place.lstat()
    except OSError:
        return {}
    ours = is_unchanged(place, status, read_manifest(place.parent).get(place.name, ()))
    if not (ours or overwrite):
        return {}  # it is refused when the export gets to its place
    try:
        found = read_json(place)
    except DatasetError:
        return {}
    return dict(found) if isinstance(found, dict) else {}
