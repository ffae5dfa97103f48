"""Reads JSON files of any size record by record, and names the line where one is broken.

The records of a list are cut out with the standard library's own decoder, a piece of the file
at a time. Streaming parsers were tried: ijson (yajl) is 2.7 times slower here (156,000 LLaVA
records a second against 419,000), turns lone surrogates into "?", and refuses NaN, integers
beyond 64 bits and floats beyond the range, all of which `json.load` reads and published files
hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal, TextIO, TypeAlias

from ig4.core.errors import DatasetError
from ig4.core.files.reading.compressed import data_suffix
from ig4.core.files.reading.encodings import first_text, open_text
from ig4.core.files.reading.repeatedkeys import RepeatedKeys, marked
from ig4.core.records import JSON

Layout: TypeAlias = Literal["list", "object", "lines"]

LINES_SUFFIXES = (".jsonl", ".ndjson")
_PIECE = 1 << 20
MAX_RECORD = 1 << 28
"""Characters that one record may have, images in base64 included."""
# The decoder's message may point this far before the end of a piece that was merely cut.
_SLACK = 16
_space = re.compile(r"[ \t\n\r]*").match
_between = re.compile(r"[ \t\n\r,]*").match
_TOO_LONG = f"a record is longer than {MAX_RECORD:,} characters"
_colon = re.compile(r"\s*:\s*").match
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")
_cut_escape = re.compile(r"\\?u?[0-9a-fA-F]{0,3}").fullmatch
_JSONError = json.JSONDecodeError
_decode = json.JSONDecoder().raw_decode


def layout(path: Path) -> Layout | None:
    """Return how a file holds its records: as one list, one on each line, or inside an object.

    Only the first 64 KiB are read; None means that they are not JSON.
    """
    head = first_text(path).lstrip()
    if head and data_suffix(path) in LINES_SUFFIXES:
        return "lines"
    if head.startswith("["):
        return "list"
    if not head.startswith("{"):
        return None
    line, newline, rest = head.partition("\n")
    return "lines" if newline and rest.strip() and _is_object(line) else "object"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def list_items(path: Path, encoding: str = "utf-8") -> Iterator[JSON]:
    """Yield the items of a file that is one JSON list.

    Raises:
        DatasetError: it is not, or is broken; names line and column.
    """
    with open_text(path, encoding) as file:
        cursor = _Cursor(path, file)
        yield from cursor.items()
        cursor.finish()


def lines(path: Path, encoding: str = "utf-8") -> Iterator[JSON]:
    """Yield the value on each line of a JSON lines file; blank lines are skipped.

    Raises:
        DatasetError: a line is not JSON; names line and column.
    """
    with open_text(path, encoding, newline="\n") as file:
        for number, line in enumerate(iter(partial(file.readline, MAX_RECORD + 1), ""), 1):
            if len(line) > MAX_RECORD:
                raise _broken(path, number, 1, _TOO_LONG)
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                if not line.strip():
                    continue
                # The decoder counts columns anew after the line's own end.
                at = min(error.pos, len(line.rstrip())) if isinstance(error, _JSONError) else 0
                raise _broken(path, number, at + 1, _reason(error)) from None
            yield marked(value, line, 0, len(line))


def nested_items(path: Path, key: str, encoding: str = "utf-8") -> Iterator[JSON]:
    """Yield the items of the list under `key` of a file that is one JSON object.

    Raises:
        DatasetError: there is no such list, or the file is broken; names line and column.
    """
    found = False
    with open_text(path, encoding) as file:
        cursor = _Cursor(path, file)
        for name in cursor.names():
            if name == key and cursor.peek() == "[":
                found = True
                yield from cursor.items()
            else:
                cursor.skip()
        cursor.finish()
    if not found:
        raise DatasetError(f"{path} has no list under {key!r}")


def members(path: Path, encoding: str = "utf-8") -> Iterator[tuple[str, JSON]]:
    """Yield the members of a file that is one JSON object, one at a time.

    Raises:
        DatasetError: it is not, or is broken; names line and column.
    """
    with open_text(path, encoding) as file:
        cursor = _Cursor(path, file)
        for name in cursor.names():
            yield name, cursor.value()
        cursor.finish()


def outline(path: Path, key: str, encoding: str = "utf-8") -> dict[str, JSON]:
    """Return a file's JSON object with an empty list in place of the one under `key`."""
    values: dict[str, JSON] = {}
    with open_text(path, encoding) as file:
        cursor = _Cursor(path, file)
        for name in cursor.names():
            if name == key and cursor.peek() == "[":
                cursor.skip()
                values[name] = []
            else:
                values[name] = cursor.value()
        cursor.finish()
    return values


def first_items(path: Path, encoding: str = "utf-8") -> dict[str, JSON]:
    """Return, for each list in a file's JSON object, its first item (None if it is empty)."""
    firsts: dict[str, JSON] = {}
    with open_text(path, encoding) as file:
        cursor = _Cursor(path, file)
        for name in cursor.names():
            if cursor.peek() == "[":
                firsts[name] = cursor.skip()
            else:
                cursor.skip()
        cursor.finish()
    return firsts


def rows(path: Path, items: Iterator[JSON]) -> Iterator[JSON]:
    """Yield items of a table, each of whose columns has one value.

    Raises:
        DatasetError: a key stands more than once in an item, and nobody knows which is meant.
    """
    for number, item in enumerate(items, 1):
        if type(item) is RepeatedKeys:
            raise DatasetError(
                f"{path}, item {number:,}: the key {item.key[:40]!r} stands more than once in it: "
                "keep one of them"
            )
        yield item


def records(path: Path, encoding: str = "utf-8") -> Iterator[JSON]:
    """Yield the items of a list, or the values on lines, whichever the file holds.

    Raises:
        DatasetError: it holds neither, or is broken; names line and column.
    """
    kind = layout(path)
    if kind == "object":
        raise DatasetError(f"{path} holds one JSON object where a list of records should be")
    return lines(path, encoding) if kind == "lines" else list_items(path, encoding)


def lists_of_objects(path: Path, encoding: str = "utf-8") -> list[str]:
    """Return the keys of the lists of objects in a file that is one JSON object.

    Raises:
        DatasetError: the file is broken; names line and column.
    """
    firsts = first_items(path, encoding)
    return [name for name, first in firsts.items() if isinstance(first, dict)]


def first_records(path: Path, count: int = 20, key: str | None = None) -> list[JSON]:
    """Return up to `count` of the first records, to detect the format; [] if there are none.

    In an object they stand in the list under `key`, or in any list of objects. Only the first
    megabyte is read, and its encoding does not matter.
    """
    kind = layout(path)
    if kind is None:
        return []
    text = first_text(path, _PIECE)
    if kind == "object":
        return [item for at in _list_starts(text, key) for item in _items_from(text, at, count)]
    # The file may have changed since its layout was looked at: then there may be no list.
    return _items_from(text, text.find("[") + 1 if kind == "list" else 0, count)


def _items_from(text: str, at: int, count: int) -> list[JSON]:
    items: list[JSON] = []
    try:
        while len(items) < count:
            value, at = _decode(text, _between(text, at).end())  # type: ignore[union-attr]
            items.append(value)
    except (ValueError, RecursionError):
        pass  # the end of what was read, or of the valid part
    return items


def _list_starts(text: str, key: str | None) -> Iterator[int]:
    """Yield where the items begin of the list under `key`, or of every list of objects."""
    at = text.find("{") + 1
    try:
        while True:
            name, at = _decode(text, _between(text, at).end())  # type: ignore[union-attr]
            at = _colon(text, at).end()  # type: ignore[union-attr]
            if text[at] == "[" and key in (None, name):
                first = _space(text, at + 1).end()  # type: ignore[union-attr]
                if key is not None or text[first] == "{":
                    yield first
            _, at = _decode(text, at)
    except (ValueError, IndexError, AttributeError, RecursionError):
        pass  # the end of what was read, or of the valid part


class _Cursor:
    """A position in a JSON text of which only a piece is in memory.

    The caller walks `items` or `names`, and after each name calls exactly one of `value`, `items`
    and `skip`.
    """

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._text = ""
        self._at = 0
        self._ended = False
        self._line = 1  # of the first character held
        self._column = 1
        if not self.peek():
            raise DatasetError(f"{path} is empty")

    def peek(self) -> str:
        """Move to the next character that is not white space and return it, or "" at the end."""
        while True:
            self._at = _space(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def value(self) -> JSON:
        """Return the value that starts here, and move behind it."""
        self.peek()
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except _JSONError as error:
                unterminated = error.msg.startswith("Unterminated string")
                near = error.pos >= len(self._text) - _SLACK
                if len(self._text) - self._at > MAX_RECORD:
                    raise self._error(_TOO_LONG, self._at) from None
                if (unterminated or near) and self._more():
                    continue
                cut = unterminated or _is_beginning(self._text[error.pos :])
                raise self._error(error.msg, error.pos, cut=cut) from None
            except (ValueError, RecursionError) as error:
                raise self._error(_reason(error), self._at) from None
            if end + 2 >= len(self._text) and self._text[end - 1] not in '}]"' and self._more():
                continue  # a number may go on in the next piece, after "1e+" as well
            began, self._at = self._at, end
            return marked(value, self._text, began, end)

    def items(self) -> Iterator[JSON]:
        """Yield the items of the list that starts here, and move behind it."""
        self._expect("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._expect(",]") == "]":
                return

    def names(self) -> Iterator[str]:
        """Yield the names in the object that starts here; the caller takes the values."""
        self._expect("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise self._unexpected('"')
            key = self.value()
            self._expect(":")
            yield key
            if self._expect(",}") == "}":
                return

    def skip(self) -> JSON:
        """Move behind the value that starts here; of a list, return the first item."""
        if self.peek() != "[":
            self.value()
            return None
        items = self.items()
        first = next(items, None)
        for _ in items:
            pass
        return first

    def finish(self) -> None:
        """Require that nothing but white space is left."""
        if self.peek():
            raise self._error("the file should end here", self._at)

    def _expect(self, characters: str) -> str:
        character = self.peek()
        if not character or character not in characters:
            raise self._unexpected(characters)
        self._at += 1
        return character

    def _unexpected(self, characters: str) -> DatasetError:
        wanted = " or ".join(f"'{character}'" for character in characters)
        return self._error(f"expecting {wanted}", self._at, cut=self._at == len(self._text))

    def _more(self) -> bool:
        """Drop what was parsed and read at least as much as is left; False at the end."""
        piece = "" if self._ended else self._file.read(max(_PIECE, len(self._text) - self._at))
        if not piece:
            self._ended = True
            return False
        self._line, self._column = self._place(self._at)
        self._text = self._text[self._at :] + piece
        self._at = 0
        return True

    def _place(self, at: int) -> tuple[int, int]:
        newlines = self._text.count("\n", 0, at)
        if not newlines:
            return self._line, self._column + at
        return self._line + newlines, at - self._text.rfind("\n", 0, at)

    def _error(self, reason: str, at: int, *, cut: bool = False) -> DatasetError:
        line, column = self._place(at)
        if cut and self._ended:
            reason += "; the file ends too early, it may be cut off"
        return _broken(self._path, line, column, reason)


def _is_beginning(rest: str) -> bool:
    """Tell whether the end of a file, where the decoder failed, is the beginning of a token."""
    left = rest.strip()
    return any(word.startswith(left) for word in _WORDS) or bool(_cut_escape(left))


def _broken(path: Path, line: int, column: int, reason: str) -> DatasetError:
    reason = reason[:1].lower() + reason[1:]
    return DatasetError(f"{path}: line {line:,}, column {column:,}: not valid JSON ({reason})")


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, _JSONError):
        return error.msg
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "an integer has too many digits"
