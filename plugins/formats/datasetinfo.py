"""LLaMA-Factory's dataset_info.json, which says what the keys and speakers of a file are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ig4.core.errors import DatasetError
from ig4.core.files.reading import jsonstream
from ig4.core.files.reading.compressed import data_suffix
from ig4.core.files.reading.encodings import read_json
from ig4.core.files.shards import natural_order
from ig4.core.records import JSON
from ig4.plugins.formats.names import is_safe_path
from ig4.plugins.formats.records.speakers import ROLES

INFO = "dataset_info.json"
MESSAGES = ("messages", "conversations", "conversation", "texts")
SUFFIXES = (".json", *jsonstream.LINES_SUFFIXES)
Entry = Mapping[str, Any]

_DESCRIBING = ("formatting", "ranking", "columns", "tags")
"""What an entry says of records, and not of where they are or how many of them to take."""
OWN_TAGS: Mapping[str, str] = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "observation_tag": "tool",
    "system_tag": "system",
}
"""What messages that ig4 makes call the keys and speakers."""

DEFAULT_TAGS: Mapping[str, str] = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
"""What LLaMA-Factory takes keys and speakers to be called where an entry does not say."""


def read_info(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the data sets of a folder's dataset_info.json.

    Raises:
        DatasetError: it cannot be read.
    """
    found = read_json(folder / INFO)
    entries = found.items() if isinstance(found, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def entry_beside(file: Path) -> dict[str, Any] | None:
    """Return what the dataset_info.json beside a file says of it; None if it says nothing."""
    if not (file.parent / INFO).is_file():
        return None
    try:
        entries = read_info(file.parent).values()
    except DatasetError:
        return None  # the user named another file than this one
    return next((entry for entry in entries if file in files_of(file.parent, entry)), None)


def files_of(folder: Path, entry: Entry) -> list[Path]:
    """Return the file of a data set, or all in its folder, as LLaMA-Factory reads them."""
    name = entry.get("file_name")
    if not isinstance(name, str) or not is_safe_path(name):
        return []
    named = folder / name
    files = sorted(named.iterdir(), key=natural_order) if named.is_dir() else [named]
    return [file for file in files if data_suffix(file) in SUFFIXES and file.is_file()]


def texts_under(entry: Entry, key: str) -> dict[str, str]:
    """Return the names under `columns` or `tags`; those that are no texts are left out."""
    found = entry.get(key)
    named = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in named if isinstance(value, str)}


def is_conversation(entry: Entry) -> bool:
    """Tell whether an entry is of conversations, and not of instructions with outputs (Alpaca)."""
    return entry.get("formatting") in ("sharegpt", "openai")


def describing(entry: Entry) -> dict[str, Any]:
    """Return the part of an entry that describes records, wherever these are."""
    return {key: entry[key] for key in _DESCRIBING if key in entry}


def own_entry(
    columns: Mapping[str, str], tags: Mapping[str, str], found: Entry | None = None
) -> dict[str, Any]:
    """Return the entry of conversations with these names; what is not named is as in `found`."""
    seen = found or {"columns": {"messages": "messages", "images": "images"}, "tags": OWN_TAGS}
    return {
        "formatting": "sharegpt",
        "columns": {**seen["columns"], **columns},
        "tags": {**seen["tags"], **tags},
    }


def entry_of_records(records: Iterable[JSON], columns: Entry, tags: Entry) -> dict[str, Any]:
    """Return what conversations call their keys and speakers, found where nobody says."""
    seen: dict[str, dict[str, str]] = {"columns": {}, "tags": {}}
    for record in records:
        if isinstance(record, dict):
            _see(record, columns, tags, seen)
    seen["columns"] = {"messages": "messages", "images": "images", **seen["columns"]}
    seen["tags"] = {**OWN_TAGS, **seen["tags"]}
    return seen


def _see(record: dict[str, JSON], columns: Entry, tags: Entry, seen: dict[str, Any]) -> None:
    named = (columns["messages"],) if "messages" in columns else MESSAGES
    key = next((name for name in named if isinstance(record.get(name), list)), None)
    turns = [turn for turn in record[key] if isinstance(turn, dict)] if key else []
    if not turns:
        return
    seen["columns"].setdefault("messages", key)
    role = tags.get("role_tag") or ("from" if "from" in turns[0] else "role")
    text = tags.get("content_tag") or ("value" if "value" in turns[0] else "content")
    seen["tags"].setdefault("role_tag", role)
    seen["tags"].setdefault("content_tag", text)
    for turn in turns:
        speaker = turn.get(role)
        meant = ROLES.get(speaker.lower()) if isinstance(speaker, str) else None
        tag = {"user": "user_tag", "assistant": "assistant_tag", "system": "system_tag",
               "tool": "observation_tag"}.get(meant or "")  # fmt: skip
        if tag is not None:
            seen["tags"].setdefault(tag, speaker)
