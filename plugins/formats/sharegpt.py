"""ShareGPT as LLaMA-Factory reads it: messages, and a list of their images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.encodings import read_json
from ig4.core.files.formats import require_not_empty
from ig4.core.records import JSON, Record, Turn
from ig4.plugins.formats.columns import find_columns, record_from_row
from ig4.plugins.formats.jsonrecords import JsonRecords, Parse
from ig4.plugins.formats.names import is_safe_path
from ig4.plugins.formats.options import ColumnOptions, TextOptions
from ig4.plugins.formats.turns import (
    ROLES,
    ImageRef,
    complete_turns,
    image_list,
    image_paths,
    message_keys,
    parse_messages,
    record_id,
    with_image_marks,
)

INFO = "dataset_info.json"
_TAGS = {
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
    "observation_tag": "tool",
    "function_tag": "tool",
}


class ShareGPTOptions(TextOptions):
    """Options of the ShareGPT format."""

    dataset: str | None = Field(
        None, description="Name of the data set in the folder's dataset_info.json."
    )
    messages_column: str | None = Field(
        None, description="The key of the conversation: messages or conversations."
    )
    images_column: str | None = Field(None, description="The key of the images: images.")
    role_tag: str | None = Field(None, description="The key of the speaker: role or from.")
    content_tag: str | None = Field(None, description="The key of the text: content or value.")
    user_tag: str | None = Field(None, description="What the user is called: user or human.")
    assistant_tag: str | None = Field(
        None, description="What the assistant is called: assistant or gpt."
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """The keys of a record; None means the usual names."""

    messages: str | None
    images: str | None
    system: str
    role: str | None
    content: str | None
    roles: Mapping[str, str]


class ShareGPT(JsonRecords):
    """Records are {"messages": [{"role", "content"}, …], "images": [path, …]}.

    The classic {"conversations": [{"from", "value"}, …]} is read as well, and contents in
    parts ([{"type": "image_url", "value": path}, {"type": "text", "value": …}]), whose images
    stand among the parts. In a folder with a dataset_info.json, that
    file names the data sets and their keys. Records made from another format have role and
    content, and begin the first user turn with `<image>` for each image.
    """

    Options = ShareGPTOptions
    options: ShareGPTOptions
    usual_name = "sharegpt.json"

    def recognises(self, record: JSON) -> bool:
        """See `JsonRecords.recognises`. Plain from/value without `images` is LLaVA's."""
        if not isinstance(record, dict):
            return False
        messages = record.get(self.options.messages_column or "messages")
        if messages is None and "images" in record:
            messages = record.get("conversations")
        if not isinstance(messages, list) or not messages or not isinstance(messages[0], dict):
            return False
        role, content = message_keys(messages)
        return (self.options.role_tag or role) in messages[0] and (
            (self.options.content_tag or content) in messages[0]
        )

    def detect(self, path: Path) -> bool:
        """See `Format.detect`."""
        return bool(self._available(path) or self.matching_files(path))

    def file(self, path: Path) -> Path:
        """See `JsonRecords.file`; with a dataset_info.json, that of the chosen data set."""
        name = self._dataset_name(path)
        if name is None:
            return super().file(path)
        return path / str(_read_info(path)[name]["file_name"])

    def parser(self, path: Path) -> Parse:
        """See `JsonRecords.parser`."""
        name = self._dataset_name(path)
        entry = _read_info(path)[name] if name is not None else {}
        return partial(self._record, self._shape(entry))

    def written_parser(self, header: JSON) -> Parse:
        """See `JsonRecords.written_parser`."""
        return partial(self._record, self._shape({}))

    def _available(self, path: Path) -> list[str]:
        """Return the data sets of dataset_info.json whose files are here in this format."""
        if not (path / INFO).is_file():
            return []
        return [
            name
            for name, entry in _read_info(path).items()
            if entry.get("formatting") == "sharegpt" and _is_file(path, entry)
        ]

    def _dataset_name(self, path: Path) -> str | None:
        require_not_empty(path)
        available = self._available(path)
        requested = self.options.dataset
        if requested is not None:
            if requested in available:
                return requested
            listed = ", ".join(available) or "none"
            raise UsageError(
                f"{path / INFO} has no ShareGPT data set {requested!r} with a file beside it "
                f"(there are: {listed})"
            )
        if len(available) > 1:
            raise DatasetError(
                f"{path} holds several data sets: say which with -o dataset={available[0]} "
                f"(there are: {', '.join(available)})"
            )
        return available[0] if available else None

    def _shape(self, entry: Mapping[str, Any]) -> _Layout:
        columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
        own = self.options
        named: dict[str, str] = {
            tags[tag]: role for tag, role in _TAGS.items() if isinstance(tags.get(tag), str)
        }
        named |= {own.user_tag: "user"} if own.user_tag else {}
        named |= {own.assistant_tag: "assistant"} if own.assistant_tag else {}
        return _Layout(
            messages=own.messages_column or columns.get("messages"),
            images=own.images_column or columns.get("images"),
            system=columns.get("system") or "system",
            role=own.role_tag or tags.get("role_tag"),
            content=own.content_tag or tags.get("content_tag"),
            roles={**ROLES, **named},
        )

    def _record(self, shape: _Layout, raw: JSON, row: int) -> Record:
        if not isinstance(raw, dict):
            return Record(str(row), (), (), raw)
        name = shape.messages or ("messages" if "messages" in raw else "conversations")
        if name not in raw:
            # JSON lines of ig4's own may hold pairs beside conversations.
            own = ColumnOptions(instruction=self.options.instruction)
            columns = find_columns(raw, own)
            if columns.answer is not None:
                return record_from_row(raw, columns, own, row, raw)
        messages = raw.get(name)
        role, content = message_keys(messages)
        turns, embedded = parse_messages(
            messages, shape.role or role, shape.content or content, shape.roles
        )
        system = raw.get(shape.system)
        if isinstance(system, str) and system:
            turns.insert(0, Turn("system", system))
        images: list[ImageRef] = image_list(raw.get(shape.images or "images")) or embedded
        if not images and shape.images is None:
            images = image_list(raw.get("image"))
        identity = record_id(raw.get("id"), row)
        return Record(identity, complete_turns(turns, self.options.instruction), tuple(images), raw)

    def make_raw(self, record: Record) -> JSON:
        """See `JsonRecords.make_raw`."""
        turns = with_image_marks(record, "")
        raw: dict[str, JSON] = {
            "id": record.id,
            "messages": [{"role": turn.role, "content": turn.text} for turn in turns],
        }
        if record.images:
            raw["images"] = image_paths(record)
        return raw


def _read_info(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the data sets of a folder's dataset_info.json.

    Raises:
        DatasetError: it cannot be read.
    """
    found = read_json(folder / INFO)
    entries = found.items() if isinstance(found, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def _is_file(folder: Path, entry: Mapping[str, Any]) -> bool:
    name = entry.get("file_name")
    return isinstance(name, str) and is_safe_path(name) and (folder / name).is_file()
