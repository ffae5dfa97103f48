"""Forms of answers: a word or phrase, one sentence, a description, and some that say all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

SHORT, SENTENCE, DESCRIPTION = "word or phrase", "one sentence", "description"
LETTER, REGION = "option letter", "region"

_LETTER = re.compile(r"\s*\(?[A-H]\)?[.):]?\s*", re.ASCII)
_REGION = re.compile(r"\[\s*\d*\.?\d+(?:\s*,\s*\d*\.?\d+){3}\s*\]|\{<\d+>(?:<\d+>){3}\}|<loc_?\d+>")
_END = re.compile(r"[.!?][\"')\]]*(?=\s|$)|[\u3002\uff01\uff1f]")  # of Chinese, too
_WIDE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af\u0e00-\u0e7f]")
"""Characters of scripts that write words without spaces."""

_SURELY_SHORT, _LONG_PHRASE, _LONG_SENTENCE = 2, 5, 40  # words
_LOOKED_AT = 4000  # characters
_CHARACTERS_OF_A_WORD = 2  # of such scripts, about


def answer_form(answer: str) -> str:
    """Return the form of one answer."""
    if len(answer) <= 4 and _LETTER.fullmatch(answer):
        return LETTER
    if ("[" in answer or "<" in answer) and _REGION.search(answer[:_LOOKED_AT]):
        return REGION
    words = _count_words(answer)
    if words > _LONG_SENTENCE:
        return DESCRIPTION
    if words <= _SURELY_SHORT:  # "Yes." is a word
        return SHORT
    ends = len(_END.findall(answer))
    if words <= _LONG_PHRASE and not ends:
        return SHORT
    return SENTENCE if ends <= 1 else DESCRIPTION


def common_form(answers: Iterable[str]) -> str:
    """Return the form that most answers have, of equally many the longer one."""
    counts = Counter(map(answer_form, answers))
    order = (DESCRIPTION, SENTENCE, SHORT, LETTER, REGION)
    return max(order, key=lambda form: (counts[form], -order.index(form)))


def _count_words(text: str) -> int:
    words = text.count(" ") + text.count("\n") + 1
    if text.isascii():
        return words
    return max(words, len(_WIDE.findall(text)) // _CHARACTERS_OF_A_WORD)
