"""ShareGPT as LLaMA-Factory reads it: messages, and a list of their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.formats import require_not_empty
from ig4.core.files.reading import jsonstream
from ig4.core.records import JSON, Record, Turn
from ig4.plugins.formats import names
from ig4.plugins.formats.datasetinfo import (
    DEFAULT_TAGS,
    INFO,
    MESSAGES,
    Entry,
    describing,
    entry_beside,
    entry_of_records,
    files_of,
    is_conversation,
    own_entry,
    read_info,
    texts_under,
)
from ig4.plugins.formats.jsonrecords import JsonRecords, Parse
from ig4.plugins.formats.options import ColumnOptions, JsonOptions
from ig4.plugins.formats.records.columns import Columns, media_columns
from ig4.plugins.formats.records.marks import with_image_marks
from ig4.plugins.formats.records.meta import meta_columns
from ig4.plugins.formats.records.objects import conversation_columns, object_parser
from ig4.plugins.formats.records.speakers import ROLES, SpeakerNames
from ig4.plugins.formats.records.turns import image_paths

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

    version = "4"

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
        if path.is_file() and entry_beside(path) is not None:
            return True
        return bool(self._available(path) or self.matching_files(path))

    def sources(self, path: Path) -> list[Path]:
        """See `JsonRecords.sources`; with a dataset_info.json, those of the chosen data set."""
        name = self._dataset_name(path)
        if name is None:
            return super().sources(path)
        return files_of(path, read_info(path)[name])

    def header(self, path: Path) -> JSON:
        """See `JsonRecords.header`; beside it `entry`: what the dataset_info.json says, if any."""
        around, entry = super().header(path), self._entry(path)
        columns, tags = self._named()
        if entry is None and not columns and not tags:
            return around
        if entry is None:
            first = jsonstream.first_records(self.sources(path)[0], key=self.options.key)
            entry = own_entry(columns, tags, entry_of_records(first, columns, tags))
        return {**(around or {}), "entry": describing(entry)}

    def describe(self, target: Path, header: JSON = None) -> dict[str, JSON] | None:
        """See `Format.describe`: what is called as this format calls it needs no entry."""
        entry = self._written_entry(header)
        if entry is None:
            return None
        return {"file_name": names.target_file(target, self.usual_name).name, **entry}

    def _written_entry(self, header: JSON) -> dict[str, JSON] | None:
        """Return what keys and speakers are called in what `write` makes, where that is not usual.

        The options go before what the data set said of itself.
        """
        entry = (header or {}).get("entry")
        columns, tags = self._named()
        if entry is None:
            return own_entry(columns, tags) if columns or tags else None
        if not is_conversation(entry):
            return {**entry, "columns": {**texts_under(entry, "columns"), **columns}}
        known = {"columns": texts_under(entry, "columns"), "tags": texts_under(entry, "tags")}
        return {**entry, **own_entry(columns, tags, known), "formatting": entry["formatting"]}

    def _named(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the columns and tags that the options name."""
        own = self.options
        columns = {"messages": own.messages_column, "images": own.images_column}
        tags = {
            "role_tag": own.role_tag, "content_tag": own.content_tag,
            "user_tag": own.user_tag, "assistant_tag": own.assistant_tag,
        }  # fmt: skip
        return (
            {name: value for name, value in columns.items() if value is not None},
            {name: value for name, value in tags.items() if value is not None},
        )

    def parser(self, path: Path) -> Parse:
        """See `JsonRecords.parser`."""
        return self._parser(self._entry(path) or {})

    def written_parser(self, header: JSON) -> Parse:
        """See `JsonRecords.written_parser`."""
        return self._parser((header or {}).get("entry") or {})

    def _entry(self, path: Path) -> dict[str, JSON] | None:
        """Return what a dataset_info.json in the folder, or beside the file, says of it."""
        if not path.is_dir():
            return entry_beside(path)
        name = self._dataset_name(path)
        return None if name is None else read_info(path)[name]

    def _parser(self, entry: Entry) -> Parse:
        options = ColumnOptions(instruction=self.options.instruction)
        if entry and not is_conversation(entry):
            return object_parser(lambda keys: self._alpaca_columns(keys, entry), options)
        return object_parser(
            lambda keys: self._columns(keys, entry),
            options,
            speakers=self._speakers(entry),
            marked=True,
        )

    def _available(self, path: Path) -> list[str]:
        """Return the data sets of dataset_info.json whose files are here in this format."""
        if not (path / INFO).is_file():
            return []
        return [name for name, entry in read_info(path).items() if files_of(path, entry)]

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
                f"with a JSON file beside it (there are: {listed})"
            )
        if len(available) > 1:
            raise DatasetError(
                f"{path} holds several data sets: say which with -o dataset={available[0]} "
                f"(there are: {', '.join(available)})"
            )
        return available[0] if available else None

    def _columns(self, keys: Sequence[str], entry: Entry) -> Columns:
        columns = texts_under(entry, "columns")
        named = self.options.messages_column or columns.get("messages")
        found = conversation_columns(
            keys,
            (named,) if named else MESSAGES,
            images=self.options.images_column or columns.get("images"),
            system=columns.get("system"),
        )
        return replace(found, media=_media(keys, columns))

    def _alpaca_columns(self, keys: Sequence[str], entry: Entry) -> Columns:
        """Return the columns of LLaMA-Factory's default form, with its names for them."""
        columns = texts_under(entry, "columns")
        keys_of = {
            "instruction": columns.get("prompt", "instruction"),
            "input": columns.get("query", "input"),
            "answer": columns.get("response", "output"),
            "history": columns.get("history", "history"),
            "system": columns.get("system", "system"),
            "image": self.options.images_column or columns.get("images", "images"),
        }
        found = {meaning: name for meaning, name in keys_of.items() if name in keys}
        meta = meta_columns(keys, taken=set(found.values()))
        return Columns(id="id", media=_media(keys, columns), meta=meta, **found)

    def _speakers(self, entry: Entry) -> SpeakerNames:
        tags, own = texts_under(entry, "tags"), self.options
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

    def make_raw(self, record: Record, header: JSON = None) -> JSON:
        """See `JsonRecords.make_raw`; keys and speakers are called as `describe` says."""
        entry = self._written_entry(header) or own_entry({}, {})
        columns = texts_under(entry, "columns")
        if not is_conversation(entry):
            return _alpaca_raw(record, columns)
        tags = {**DEFAULT_TAGS, **texts_under(entry, "tags")}
        speakers = {role: tags[tag] for tag, role in reversed(_TAGS.items())}
        raw: dict[str, JSON] = {
            "id": record.id,
            columns.get("messages", "conversations"): [
                {
                    tags["role_tag"]: speakers.get(turn.role, turn.role),
                    tags["content_tag"]: turn.text,
                }
                for turn in with_image_marks(record, "")
            ],
        }
        if record.images:
            raw[columns.get("images", "images")] = image_paths(record)
        return raw


def _media(keys: Sequence[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    return media_columns(keys, *(columns[key] for key in ("videos", "audios") if key in columns))


def _alpaca_raw(record: Record, columns: Mapping[str, str]) -> dict[str, JSON]:
    """Make a record of LLaMA-Factory's default form; what is no list of pairs is kept as messages.

    The last pair is asked and answered, and those before it are the history.
    """
    turns = with_image_marks(record, "")
    raw: dict[str, JSON] = {"id": record.id}
    if turns and turns[0].role == "system":
        raw[columns.get("system", "system")] = turns.pop(0).text
    *before, question, answer = turns if len(turns) > 1 else (Turn("user", ""), *turns)
    raw[columns.get("prompt", "instruction")] = question.text
    raw[columns.get("response", "output")] = answer.text
    if before:
        roles = [turn.role for turn in before]
        history: JSON = [{"role": turn.role, "content": turn.text} for turn in before]
        if roles == ["user", "assistant"] * (len(before) // 2):
            texts = [turn.text for turn in before]
            history = [[texts[n], texts[n + 1]] for n in range(0, len(texts), 2)]
        raw[columns.get("history", "history")] = history
    if record.images:
        raw[columns.get("images", "images")] = image_paths(record)
    return raw
