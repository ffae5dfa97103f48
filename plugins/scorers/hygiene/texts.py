# ruff: noqa: RUF001 - marks of many scripts are what this is about
"""What the scorers of text hygiene share: answers turn by turn, words, and scripts."""

from __future__ import annotations

import re
import string
from bisect import bisect_right
from collections import Counter

from ig4.core.records import Sample

BLANK = "the answer is blank"
"""Why a sample has no value: there is nothing to look at."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_ONE_UNSPACED = re.compile(f"[{_UNSPACED}]")
_PUNCTUATION = str.maketrans(
    dict.fromkeys(
        string.punctuation.replace("'", "") + "。，、！？；：「」『』（）《》„“”‘«»…—–·।॥،؛؟۔", " "
    )
)


_ASCII_WORDS = bytes(
    ord(" ") if chr(i) in string.punctuation.replace("'", "") else ord(chr(i).lower())
    for i in range(128)
) + bytes(range(128, 256))
_NO_LETTERS = bytes(i for i in range(128) if not chr(i).isalpha())


def answers(sample: Sample) -> list[str]:
    """Return the answers of a sample, turn by turn; those that are blank are left out."""
    told = [turn.text for turn in sample.turns if turn.role == "assistant"] or [sample.answer]
    return [text for text in told if text and not text.isspace()]


def words(text: str) -> list[str]:
    """Return the words of a text without case and punctuation.

    Where a script sets no spaces (Chinese, Japanese, Thai and others), each character is a word.
    """
    if text.isascii():  # the usual case, ten times as fast
        return text.encode("ascii").translate(_ASCII_WORDS).decode("ascii").split()
    spaced = _ONE_UNSPACED.sub(r" \g<0> ", text.translate(_PUNCTUATION))
    return spaced.casefold().split()


def word_count(text: str) -> float:
    """Return how many words a text has; two characters of a script without spaces are one."""
    if text.isascii():
        return len(text.split())
    unspaced = len(_ONE_UNSPACED.findall(text))
    return len(_ONE_UNSPACED.sub(" ", text).split()) + unspaced / 2


_LATIN, _CJK = "Latin", "Chinese or Japanese"
_SCRIPTS = (
    (0x0041, _LATIN), (0x0370, "Greek"), (0x0400, "Cyrillic"), (0x0530, "Armenian"),
    (0x0590, "Hebrew"), (0x0600, "Arabic"), (0x0700, "Syriac"), (0x0750, "Arabic"),
    (0x0780, "Thaana"), (0x07C0, "other"), (0x08A0, "Arabic"), (0x0900, "Devanagari"),
    (0x0980, "Bengali"), (0x0A00, "Gurmukhi"), (0x0A80, "Gujarati"), (0x0B00, "Oriya"),
    (0x0B80, "Tamil"), (0x0C00, "Telugu"), (0x0C80, "Kannada"), (0x0D00, "Malayalam"),
    (0x0D80, "Sinhala"), (0x0E00, "Thai"), (0x0E80, "Lao"), (0x0F00, "Tibetan"),
    (0x1000, "Burmese"), (0x10A0, "Georgian"), (0x1100, "Korean"), (0x1200, "Ethiopic"),
    (0x13A0, "other"), (0x1780, "Khmer"), (0x1800, "Mongolian"), (0x18B0, "other"),
    (0x1C80, "Cyrillic"), (0x1C90, "Georgian"), (0x1CC0, "other"), (0x1D00, _LATIN),
    (0x1F00, "Greek"), (0x2000, "other"), (0x2C60, _LATIN), (0x2C80, "other"),
    (0x2DE0, "Cyrillic"), (0x2E00, _CJK), (0x3130, "Korean"), (0x3190, _CJK), (0xA000, "other"),
    (0xA640, "Cyrillic"), (0xA6A0, "other"), (0xA720, _LATIN), (0xA800, "other"),
    (0xAC00, "Korean"), (0xD800, "other"), (0xF900, _CJK), (0xFB00, _LATIN), (0xFB13, "Armenian"),
    (0xFB1D, "Hebrew"), (0xFB50, "Arabic"), (0xFE00, "other"), (0xFE70, "Arabic"),
    (0xFF00, _LATIN), (0xFF66, _CJK), (0xFFA0, "Korean"), (0xFFE0, "other"), (0x20000, _CJK),
    (0x323B0, "other"),
)  # fmt: skip
_STARTS = [start for start, _ in _SCRIPTS]
_KNOWN: dict[str, str | None] = {}


def script_of(character: str) -> str | None:
    """Return the script of a letter by its place in Unicode; None for what is no letter.

    Chinese characters and kana are one, since Japanese mixes them.
    """
    if character not in _KNOWN:
        place = bisect_right(_STARTS, ord(character)) - 1
        _KNOWN[character] = _SCRIPTS[place][1] if character.isalpha() and place >= 0 else None
    return _KNOWN[character]


def letters_by_script(text: str) -> Counter[str]:
    """Count the letters of a text by their script."""
    found: Counter[str] = Counter()
    if text.isascii():
        letters = len(text.encode("ascii").translate(None, _NO_LETTERS))
        return Counter({_LATIN: letters}) if letters else found
    for character, many in Counter(text).items():
        script = script_of(character)
        if script is not None:
            found[script] += many
    return found
