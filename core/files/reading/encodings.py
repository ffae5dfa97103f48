"""Opens text files of a data set, and suggests an encoding when the given one does not fit."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ig4.core.errors import DatasetError, Ig4Error, UsageError
from ig4.core.files.opening import (
    OutsideFileError,
    SpecialFileError,
    folder_roots,
    only_beneath,
    open_file,
    read_bounded,
)
from ig4.core.files.reading.compressed import BROKEN, broken_error, open_binary
from ig4.core.records import JSON

_GUESS_BYTES = 1 << 20
_SMALL_BYTES = 64 << 20
_UTF8_NAMES = ("utf-8", "utf-8-sig")
_SINGLE_HIGH = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
_HIGH = re.compile(rb"[\x80-\xff]")
_KANA = re.compile("[\u3040-\u30ff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


@contextmanager
def open_text(path: Path, encoding: str = "utf-8", newline: str = "") -> Iterator[TextIO]:
    """Open a text file for reading; a UTF-8 byte order mark is skipped.

    Line ends are kept as they are; `newline` is as for the built-in `open`.

    Raises:
        UsageError: the encoding is unknown, or not one of text.
        DatasetError: the file is missing or cannot be read, or is not in this encoding: the
            message names the first bad byte and an encoding to try.
    """
    codec = _codec(encoding)
    try:
        if codec in _UTF8_NAMES:
            codec = "utf-8-sig" if _starts_with(path, codecs.BOM_UTF8) else "utf-8"
        with io.TextIOWrapper(open_binary(path), encoding=codec, newline=newline) as file:
            yield file
    except UnicodeError:
        raise _undecodable_error(path, encoding) from None
    except BROKEN as error:
        raise broken_error(path, error) from None
    except OSError as error:
        raise unreadable_error(path, error) from error


def read_json(path: Path) -> JSON:
    """Return the value in a small JSON file beside the records of a data set.

    Raises:
        DatasetError: it is missing, a link to elsewhere, no regular file, too large, or not JSON
            in UTF-8.
    """
    try:
        with only_beneath(folder_roots(path.parent)), open_file(path) as file:
            return json.loads(read_bounded(file, _SMALL_BYTES))
    except OSError as error:
        raise unreadable_error(path, error) from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from None


def unreadable_error(path: Path, error: OSError) -> DatasetError:
    """Return the error to raise for a file or folder that the system cannot open."""
    if isinstance(error, FileNotFoundError):
        return DatasetError(f"{path}: there is no such file or folder")
    if isinstance(error, IsADirectoryError):
        return DatasetError(f"{path} is a folder: name a file in it")
    if isinstance(error, OutsideFileError):
        return DatasetError(
            f"{path} cannot be read: {error.strerror}, where a link leads. If you trust it, put "
            "the file itself in the link's place"
        )
    if isinstance(error, SpecialFileError):
        return DatasetError(
            f"{path} cannot be read: {error.strerror}. Save what it gives in a file, and name that"
        )
    return DatasetError(f"{path} cannot be read: {error.strerror or error}")


def first_text(path: Path, size: int = 1 << 16) -> str:
    """Return the beginning of a file, decoded as well as possible without knowing its encoding.

    Good enough to recognise a format: what is not UTF-8 (or UTF-16 with its mark) becomes
    replacement characters. Empty if the path is not a readable file.
    """
    try:
        with open_binary(path) as file:
            head = file.read(size)
    except (*BROKEN, OSError, Ig4Error):
        return ""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.decode("utf-16", "replace")
    return head.decode("utf-8-sig", "replace")


def _codec(encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        raise UsageError(f"unknown encoding {encoding!r}: try utf-8 or gb18030") from None
    if not codec._is_text_encoding:  # "base64" and the like give bytes
        raise UsageError(f"{encoding!r} is not an encoding of text: try utf-8 or gb18030")
    return codec.name


def _starts_with(path: Path, mark: bytes) -> bool:
    with open_binary(path) as file:
        return file.read(len(mark)) == mark


def _undecodable_error(path: Path, encoding: str) -> DatasetError:
    """Return an error that names the first bad byte; reads the file again, in pieces."""
    position = _first_bad_byte(path, encoding)
    guess = guess_encoding(path, encoding)
    advice = "Name its encoding with --encoding."
    if guess is not None:
        advice = f"It can be read as {guess}: try --encoding {guess}."
    return DatasetError(f"{path} is not {encoding}: byte {position:,} does not fit. {advice}")


def _first_bad_byte(path: Path, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)()
    read = 0
    with open_binary(path) as file:
        while True:
            piece = file.read(_GUESS_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                return read - pending + error.start
            except UnicodeError:  # UTF-16 without its mark gives no position
                return read
            if not piece:
                return read
            read += len(piece)


def guess_encoding(path: Path, refused: str = "utf-8") -> str | None:
    """Return an encoding other than `refused` that the first megabyte can be decoded with.

    Several may fit. UTF-16 is recognised by its mark; bytes that stand alone between ASCII letters
    are accented letters (cp1252); many kana mean Shift JIS; otherwise GB18030 is tried first.
    """
    with open_binary(path) as file:
        head = file.read(_GUESS_BYTES)
    marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    order = ["utf-16"] if marked else []
    order += ["utf-8"] if not marked else []
    if 2 * len(_SINGLE_HIGH.findall(head)) > len(_HIGH.findall(head)):
        order.append("cp1252")
    if _kana_share(head) > 0.2:
        order.append("shift_jis")
    order += ["gb18030", "shift_jis", "cp1252"]
    excluded = codecs.lookup(refused).name
    candidates = (name for name in order if codecs.lookup(name).name != excluded)
    return next((name for name in candidates if _decode(head, name) is not None), None)


def _kana_share(head: bytes) -> float:
    text = _decode(head, "shift_jis")
    if not text:
        return 0.0
    return len(_KANA.findall(text)) / max(1, len(_NOT_ASCII.findall(text)))


def _decode(head: bytes, encoding: str) -> str | None:
    """Decode the beginning of a file; a character cut off at its end does not count."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeError:
        return None
