"""Reads letters of choices ("B", "(B) sand"), and labels (true, false, yes, no), out of answers."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ALONE = re.compile(r"\W*([A-Za-z])\W*")
_FIRST = re.compile(
    r"[\s*\"'`]*(?:\(([A-Za-z])\)|\[([A-Za-z])\]|([A-Z])(?:[.):\]]|\*\*))(?=\s|$|\W)"
)
_NAMED = re.compile(
    r"(?i:\banswer|\b(?:correct|right|best)\s+(?:option|choice)|^\W*(?:option|choice))"
    r"(?i:\s+is)?(?i:\s+(?:option|choice))?\s*:?\s*[*\"'`]*"
    r"(?:\(([A-Za-z])\)|([B-HJ-Z])(?![\w'])|([AI])(?![\w'])(?!\s+[a-z]))"  # "A dog" is a text
)
_WORD = re.compile(r"[a-z]+|\d+")
_LABELS = {"true": True, "yes": True, "false": False, "no": False}
_NEGATIONS = frozenset(("not", "isn", "never", "cannot"))


def letter(answer: str) -> str | None:
    """Return the letter of the choice that an answer names, in upper case; None if it names none.

    Known are a letter alone in the first line ("B", "(b)", "B."), one in front ("B. sand",
    "(B) sand"), and one that is said to be the answer ("The answer is B."). Two different letters
    name none.
    """
    text = answer.strip()
    alone = _ALONE.fullmatch(text.partition("\n")[0])
    if alone is not None:
        return str(alone[1]).upper()
    first = _FIRST.match(text)
    if first is not None:
        return _group(first)
    named = {_group(found) for found in _NAMED.finditer(text)}
    return named.pop() if len(named) == 1 else None


def _group(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None).upper()


def choice(answer: str, choices: Sequence[str]) -> str | None:
    """Return the choice whose letter an answer names; None if it names none of them."""
    found = letter(answer)
    place = -1 if found is None else ord(found) - ord("A")
    return choices[place] if 0 <= place < len(choices) else None


def label(answer: str) -> bool | None:
    """Return whether an answer says true (or yes, or 1); None if it says neither or both."""
    words: list[str] = _WORD.findall(answer.casefold())
    if len(words) == 1 and words[0] in ("0", "1"):
        return words[0] == "1"
    if words and words[0] in _LABELS:
        return _LABELS[words[0]]
    said = {_LABELS[word] for word in words if word in _LABELS}
    if len(said) != 1 or not _NEGATIONS.isdisjoint(words):
        return None
    return said.pop()


def bare_letter(answer: str) -> bool:
    """Tell whether an answer is a letter, or says which is the answer, and has no text of it."""
    text = answer.strip()
    if _ALONE.fullmatch(text.partition("\n")[0]) is not None:
        return True
    return _FIRST.match(text) is None and letter(text) is not None


def other_label(answer: str) -> bool:
    """Tell whether an answer begins with true or false, or is 0 or 1: a label, but no yes or no."""
    words = _WORD.findall(answer.casefold())
    return bool(words) and (words[0] in ("true", "false") or words in (["0"], ["1"]))
