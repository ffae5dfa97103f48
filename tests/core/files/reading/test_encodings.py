"""Text files of any encoding: what is read, and what the errors advise."""

from pathlib import Path

import pytest

from ig4.core.errors import DatasetError, UsageError
from ig4.core.files.reading.encodings import guess_encoding, open_text


def text_of(path: Path, encoding: str = "utf-8") -> str:
    with open_text(path, encoding) as file:
        return file.read()


def test_a_utf8_byte_order_mark_is_skipped(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfhi")
    assert text_of(file) == "hi"


def test_the_first_bad_byte_is_named_even_far_into_the_file(tmp_path):
    file = tmp_path / "a.json"
    good = "é".encode() * 1_000_001  # odd pieces: characters lie across their borders
    file.write_bytes(b"x" + good + b"\xa1\xaf")
    with pytest.raises(DatasetError, match="byte 2,000,003 does not fit"):
        text_of(file)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("The sign says “出口”, nothing else is written on it.", "gb18030"),
        ("一只猫坐在窗台上看着外面的鸟。", "gb18030"),
        ("Une fenêtre était ouverte, le café naïf dégoûté.", "cp1252"),
        ("ねこがまどのそばにすわっています。カメラ", "shift_jis"),
        ("A cat — with its mark in front", "utf-16"),
    ],
)
def test_the_error_suggests_the_encoding_that_fits(tmp_path, text, encoding):
    file = tmp_path / "a.txt"
    file.write_bytes(text.encode(encoding))
    with pytest.raises(DatasetError, match=f"try --encoding {encoding}"):
        text_of(file)
    assert text_of(file, encoding) == text


def test_a_wrong_encoding_by_option_suggests_utf8(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes("crème brûlée ☃".encode())
    assert guess_encoding(file, "gb18030") == "utf-8"


def test_bytes_that_fit_nothing_ask_for_the_encoding(tmp_path):
    file = tmp_path / "a.bin"
    file.write_bytes(b"\xff\x81\x8d\x8f\x90 \x9d\xff")
    with pytest.raises(DatasetError, match="Name its encoding with --encoding"):
        text_of(file)


@pytest.mark.parametrize("name", ["klingon", "base64"])
def test_an_unknown_encoding_is_a_usage_error(tmp_path, name):
    file = tmp_path / "a.txt"
    file.write_text("x")
    with pytest.raises(UsageError, match=name):
        text_of(file, name)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(DatasetError, match="no such file"):
        text_of(tmp_path / "absent.json")
    with pytest.raises(DatasetError, match="is a folder"):
        text_of(tmp_path)
