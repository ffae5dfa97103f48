"""Odd characters: what a broken encoding or a careless crawl leaves in an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ig4.core.contracts import Scorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.scorers.hygiene.texts import BLANK, answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What bytes 80 to BF become when they are read as Latin-1 or as Windows-1252.
_LATER = (
    "\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013-\u203a\u20ac\u2122"
)
_ODD = re.compile(
    # Control characters but for white space, and those of the second set.
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]"
    # The replacement character, object marks, halves of pairs, private use, and no characters.
    "|[\ufffc\ufffd\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff]"
    "|[\U000f0000-\U0010ffff]"
    # What is not seen and belongs to no script: spaces of no width, marks of direction.
    "|[\u200b\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff]"
    # UTF-8 of two, three and four bytes that was read so: accents, punctuation, marks, emoji.
    f"|[\u00c2\u00c3][{_LATER}]|\u00e2[{_LATER}]{{2}}|\u00e2[\u20ac\u0080]"
    f"|\u00ef\u00bb\u00bf|\u00ef\u00bf\u00bd|\u00f0\u0178[{_LATER}]{{1,2}}"
    # Three bytes as of Chinese: two characters in a row, since one may be a word's.
    f"|(?:[\u00e3-\u00e9][{_LATER}]{{2}}){{2,}}"
    # Entities and escapes that nobody resolved.
    "|&(?:amp|lt|gt|quot|apos|nbsp|#\\d{1,6}|#x[0-9a-fA-F]{1,6});"
    "|\\\\u[0-9a-fA-F]{4}|\\\\x[0-9a-fA-F]{2}"
    # A tokenizer's own marks.
    "|</?s>|<unk>|<pad>|<\\|[a-z_]{1,20}\\|>"
    # More than four marks on one letter.
    "|[\u0300-\u036f]{5,}"
)
_PLAIN = re.compile(r"[&\\<]")  # without these, text of ASCII has nothing odd


class OddCharacters(Scorer):
    """The share of an answer's characters that belong to no text.

    Replacement and control characters, private use, invisible marks, UTF-8 that was read as
    Latin-1, HTML entities, and a tokenizer's marks (</s>). Letters of any script, emoji, and
    joiners within both are fine.
    """

    version = "1"

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return 10_000

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Return the share, from 0 to 1, of each sample."""
        return [_rate(sample) for sample in batch]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x (1 - share): an answer without any has 100."""
        return 100.0 * (1.0 - values)


def _rate(sample: Sample) -> Score | Failure:
    told = answers(sample)
    if not told:
        return Failure(BLANK)
    odd = sum(odd_characters(text) for text in told)
    return Score(odd / sum(map(len, told)))


def odd_characters(text: str) -> int:
    """Return how many characters of a text belong to no text."""
    if text.isascii() and text.isprintable() and _PLAIN.search(text) is None:
        return 0
    return sum(len(found[0]) for found in _ODD.finditer(text))
