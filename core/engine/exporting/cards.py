"""The README.md of a folder: a part for each export in it, under one head as the hub reads it.

Each part begins with a comment that says what the head needs of it, so that the parts of earlier
exports are kept when another one is written beside them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from ig4.core.errors import DatasetError
from ig4.core.files.opening import open_file, read_bounded
from ig4.core.files.writing.written import is_unchanged, read_manifest
from ig4.core.texts import one_line

CARD = "README.md"
MARK = "<!-- ig4 export: "
"""What the line begins with that begins a part: no other line of a card may."""

_MARKED = re.compile(rf"^{re.escape(MARK)}(\{{.*\}}) -->$", re.MULTILINE)
_SIGNS = re.compile(r"[^\w\s\"\\{}:,./-]")
_LONGEST = 1 << 22  # bytes of a card that is read
_LOADED = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}
"""The endings of files that `datasets` loads by their name."""


@dataclass(frozen=True, slots=True)
class CardPart:
    """What a card says of one export: its `file` below the folder, and a title for the head.

    `size` is how the hub calls the size of the data set; `body` is Markdown.
    """

    file: str
    title: str
    size: str
    body: str = field(repr=False)

    def text(self) -> str:
        """Return the part as it stands in the card."""
        values = {name: one for name, one in asdict(self).items() if name != "body"}
        told = _SIGNS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(values))
        return f"{MARK}{told} -->\n\n{self.body}"


def card_text(parts: Sequence[CardPart]) -> str:
    """Return the card of a folder with these exports."""
    lines = [
        "---",
        f"pretty_name: {yaml_text('; '.join(dict.fromkeys(one.title for one in parts)))}",
        f"size_categories: [{', '.join(dict.fromkeys(yaml_text(one.size) for one in parts))}]",
        'tags: ["ig4", "data-selection", "vision-language"]',
    ]
    loaded = [one.file for one in parts if PurePosixPath(one.file).suffix.lower() in _LOADED]
    if loaded:
        lines.append("configs:")
    for file in loaded:
        name = "default" if len(parts) == 1 else file.replace("/", "-")
        lines += [f"- config_name: {yaml_text(name)}", f"  data_files: {yaml_text(file)}"]
    return "\n".join([*lines, "---", "", "\n".join(one.text() for one in parts)])


def with_earlier(folder: Path, part: CardPart, *, overwrite: bool) -> list[CardPart]:
    """Return the parts of the card of a folder: one of this export, and those that are there.

    Of an export whose file is gone nothing is kept. A card that ig4 did not write is read only
    where it may be written over.
    """
    parts = [
        one for one in _parts(folder / CARD, overwrite=overwrite)
        if one.file != part.file and _is_there(folder, one.file)
    ]  # fmt: skip
    return [*parts, part]


def _is_there(folder: Path, file: str) -> bool:
    relative = PurePosixPath(file)
    return ".." not in relative.parts and not relative.is_absolute() and (folder / file).is_file()


def _parts(place: Path, *, overwrite: bool) -> list[CardPart]:
    """Return the parts of a card that is there: ig4's own, or one that may be written over."""
    try:
        status = place.lstat()
        ours = is_unchanged(place, status, read_manifest(place.parent).get(place.name, ()))
        if not (ours or overwrite):
            return []  # it is refused when the export gets to its place
        with open_file(place) as file:
            text = read_bounded(file, _LONGEST).decode("utf-8")
    except (OSError, UnicodeDecodeError, DatasetError):
        return []
    found = [*_MARKED.finditer(text)]
    ends = [one.start() for one in found[1:]] + [len(text)] * bool(found)
    made = (
        _part(one[1], text[one.end() : end].lstrip("\n"))
        for one, end in zip(found, ends, strict=True)
    )
    return [one for one in made if one is not None]


def _part(told: str, body: str) -> CardPart | None:
    try:
        values = json.loads(told)
        file, title, size = (str(values[name]) for name in ("file", "title", "size"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return CardPart(file, title, size, body.rstrip("\n") + "\n")


def yaml_text(value: object) -> str:
    """Return a text as YAML has it in quotes, which is as JSON has it."""
    return json.dumps(plain_line(value), ensure_ascii=False)


def plain_line(value: object) -> str:
    """Return a value as one line without anything that is not to be seen."""
    return shown_line(one_line(str(value)))


def shown_line(line: str) -> str:
    """Return a line with a mark in place of each character that is not to be seen."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)
