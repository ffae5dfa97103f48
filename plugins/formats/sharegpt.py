"""ShareGPT as LLaMA-Factory reads it: messages, and a list of their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.formats import require_not_empty
from ig4.core.files.reading.compressed import data_suffix
from ig4.core.files.reading.encodings import read_json
from ig4.core.files.shards import natural_order
from ig4.core.records import JSON, Record
from ig4.plugins.formats.jsonrecords import SUFFIXES, JsonRecords, Parse
from ig4.plugins.formats.names import is_safe_path
from ig4.plugins.formats.options import ColumnOptions, JsonOptions
from ig4.plugins.formats.records.columns import Columns, media_columns
from ig4.plugins.formats.records.marks import with_image_marks
from ig4.plugins.formats.records.objects import conversation_columns, object_parser
from ig4.plugins.formats.records.speakers import ROLES, SpeakerNames
from ig4.plugins.formats.records.turns import image_paths

INFO = "dataset_info.json"
_MESSAGES = ("messages", "conversations", "conversation", "texts")
_TAGS = {
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
    "observation_tag": "tool",
    "function_tag": "tool",
}


class ShareGPTOptions(JsonOptions):
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


class ShareGPT(JsonRecords):
    """Records are {"messages": [{"role", "content"}, …], "images": [path, …]}.

    The classic {"conversations": [{"from", "value"}, …]} is read as well, and contents in
    parts ([{"type": "image_url", "value": path}, {"type": "text", "value": …}]), whose images
    stand among the parts. In a folder with a dataset_info.json, that file names the data sets and
    their keys, of conversations as of instructions with outputs (Alpaca, LLaMA-Factory's default).
    Records made from another format have role and content, and `<image>` where each image stands.
    """

    version = "2"

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
        first = messages[0]
        role = self.options.role_tag or ("from" if "from" in first else "role")
        return role in first and (
            (self.options.content_tag or ("value" if "value" in first else "content")) in first
        )

    def detect(self, path: Path) -> bool:
        """See `Format.detect`."""
        return bool(self._available(path) or self.matching_files(path))

    def sources(self, path: Path) -> list[Path]:
        """See `JsonRecords.sources`; with a dataset_info.json, those of the chosen data set."""
        name = self._dataset_name(path)
        if name is None:
            return super().sources(path)
        return _files_of(path, _read_info(path)[name])

    def parser(self, path: Path) -> Parse:
        """See `JsonRecords.parser`."""
        name = self._dataset_name(path)
        entry = _read_info(path)[name] if name is not None else None
        options = ColumnOptions(instruction=self.options.instruction)
        if entry is not None and not _is_sharegpt(entry):
            return object_parser(lambda keys: self._alpaca_columns(keys, entry), options)
        return self._conversation_parser(entry or {})

    def written_parser(self, header: JSON) -> Parse:
        """See `JsonRecords.written_parser`."""
        return self._conversation_parser({})

    def _conversation_parser(self, entry: Mapping[str, Any]) -> Parse:
        return object_parser(
            lambda keys: self._columns(keys, entry),
            ColumnOptions(instruction=self.options.instruction),
            speakers=self._speakers(entry),
            marked=True,
        )

    def _available(self, path: Path) -> list[str]:
        """Return the data sets of dataset_info.json whose files are here in this format."""
        if not (path / INFO).is_file():
            return []
        return [name for name, entry in _read_info(path).items() if _files_of(path, entry)]

    def _dataset_name(self, path: Path) -> str | None:
        require_not_empty(path)
        available = self._available(path)
        requested = self.options.dataset
        if requested is not None:
            if requested in available:
                return requested
            listed = ", ".join(available) or "none"
            raise UsageError(
                f"{path / INFO} has no ShareGPT data set {requested!r}, nor one of instructions, "
                "with a JSON file beside it "
                f"(there are: {listed})"
            )
        if len(available) > 1:
            raise DatasetError(
                f"{path} holds several data sets: say which with -o dataset={available[0]} "
                f"(there are: {', '.join(available)})"
            )
        return available[0] if available else None

    def _columns(self, keys: Sequence[str], entry: Mapping[str, Any]) -> Columns:
        columns = _table(entry, "columns")
        named = self.options.messages_column or columns.get("messages")
        found = conversation_columns(
            keys,
            (named,) if named else _MESSAGES,
            images=self.options.images_column or columns.get("images"),
            system=columns.get("system"),
        )
        return replace(found, media=_media(keys, columns))

    def _alpaca_columns(self, keys: Sequence[str], entry: Mapping[str, Any]) -> Columns:
        """Return the columns of LLaMA-Factory's default form, with its names for them."""
        columns = _table(entry, "columns")
        names = {
            "instruction": columns.get("prompt", "instruction"),
            "input": columns.get("query", "input"),
            "answer": columns.get("response", "output"),
            "history": columns.get("history", "history"),
            "system": columns.get("system", "system"),
            "image": self.options.images_column or columns.get("images", "images"),
        }
        found = {meaning: name for meaning, name in names.items() if name in keys}
        return Columns(id="id", media=_media(keys, columns), **found)

    def _speakers(self, entry: Mapping[str, Any]) -> SpeakerNames:
        tags, own = _table(entry, "tags"), self.options
        named: dict[str, str] = {
            tags[tag]: role for tag, role in _TAGS.items() if isinstance(tags.get(tag), str)
        }
        named |= {own.user_tag: "user"} if own.user_tag else {}
        named |= {own.assistant_tag: "assistant"} if own.assistant_tag else {}
        return SpeakerNames(
            own.role_tag or tags.get("role_tag"),
            own.content_tag or tags.get("content_tag"),
            {**ROLES, **named},
        )

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


def _table(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the names under `columns` or `tags`; those that are no texts are left out."""
    found = entry.get(key)
    named = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in named if isinstance(value, str)}


def _media(keys: Sequence[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    return media_columns(keys, *(columns[key] for key in ("videos", "audios") if key in columns))


def _is_sharegpt(entry: Mapping[str, Any]) -> bool:
    return entry.get("formatting") in ("sharegpt", "openai")


def _files_of(folder: Path, entry: Mapping[str, Any]) -> list[Path]:
    """Return the file of a data set, or all in its folder, as LLaMA-Factory reads them."""
    name = entry.get("file_name")
    if not isinstance(name, str) or not is_safe_path(name):
        return []
    named = folder / name
    files = sorted(named.iterdir(), key=natural_order) if named.is_dir() else [named]
    return [file for file in files if data_suffix(file) in SUFFIXES and file.is_file()]
