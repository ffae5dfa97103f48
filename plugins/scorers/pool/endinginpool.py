"""Ending, as the pool knows it: what its answers end with, and which words it has."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Needs, PoolScorer
from ig4.plugins.scorers.hygiene.endings import end_of, has_mark
from ig4.plugins.scorers.hygiene.texts import answers, word_count, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

_LENGTHS = (1.5, 4.5, 12.5)
"""Where classes of length end, in words: one word, a phrase, a short sentence, more."""

_BEFORE_MARK = re.compile(r"([^\W_]+(?:['’][^\W_]+)*)[.!?…。！？।॥؟۔]")  # noqa: RUF001 - marks of many scripts

_SEEN = 20  # how often a word must be there to say where it does not end a sentence
_EXPECTED = 3.0  # marks behind it, if it ended sentences as often as other words do
_ODDITY = 0.01  # the share of its uses before a mark that counts as none

_OFTEN = 3  # how often a longer word must be there
_RARER = 20  # how many times rarer than it a word must be, to be a piece of it


@dataclass(slots=True)
class _Pool:
    """What is counted of a pool: words that are whole, and answers by class, with a mark or not.

    `before_mark` counts how often a word stands before the end of a sentence.
    """

    words: Counter[str] = field(default_factory=Counter)
    before_mark: Counter[str] = field(default_factory=Counter)
    marked: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, dtype=np.int64))
    unmarked: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, dtype=np.int64))
    open: list[tuple[int, int, str]] = field(default_factory=list)
    """Row, class and last word of each answer that ends with a letter and without a mark."""


class EndingInPool(PoolScorer):
    """1 for an answer that ends as the pool's do; less the more it looks broken off among them.

    0 where `ending` has hard evidence, or where the last word is a piece of a word that the pool
    has at least 20 times as often ("triang", "N" for "No."). Else, without an end mark, the share
    of the pool's answers of its class of length that have none either. The worst answer of a
    conversation counts.
    """

    version = "1"

    def needs(self) -> Needs:
        """Return the texts."""
        return Needs(samples=True)

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the value (n,) of each row, from 0 to 1; NaN for blank answers."""
        values, found = np.ones(pool.n), _Pool()
        for row, sample in enumerate(pool.samples):
            told = answers(sample)
            values[row] = min((_count(found, row, text) for text in told), default=np.nan)
        without = found.unmarked / np.maximum(found.marked + found.unmarked, 1)
        last = {word for _, _, word in found.open}
        broken = _pieces(found.words, last) | _never_last(found, last)
        for row, length, word in found.open:
            no_end = word in broken and (length > 0 or word not in found.words)
            values[row] = min(values[row], 0.0 if no_end else without[length])
        return values

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x value."""
        return 100.0 * values


def _count(found: _Pool, row: int, text: str) -> float:
    """Count an answer; return its value as far as it follows from the answer alone."""
    told, length = words(text), bisect_left(_LENGTHS, word_count(text))
    found.before_mark.update(word.casefold() for word in _BEFORE_MARK.findall(text))
    end = end_of(text)
    if has_mark(text):
        found.marked[length] += 1
        found.words.update(told)
        return end.value
    of_letters = text.rstrip()[-1].isalpha() and bool(told)
    if not end.only_mark and (end.value < 1 or not of_letters or "\n" in text.strip()):
        found.words.update(told[:-1])
        return end.value
    found.unmarked[length] += 1
    found.words.update(told[:-1])
    found.open.append((row, length, told[-1] if of_letters else ""))
    return 1.0


def _never_last(found: _Pool, last: set[str]) -> set[str]:
    """Return which of the last words are frequent in the pool, and never end a sentence there."""
    share = found.before_mark.total() / max(1, found.words.total())
    return {
        word
        for word in last
        if (uses := found.words[word]) >= _SEEN
        # Where marks are few, that a word stands before none of them tells little.
        and uses * share >= _EXPECTED
        and found.before_mark[word] <= _ODDITY * uses
    }


def _pieces(known: Counter[str], last: set[str]) -> set[str]:
    """Return which of the last words are pieces of much more frequent words of the pool."""
    vocabulary = sorted(known)
    counts = np.array([known[word] for word in vocabulary], dtype=np.int64)
    return {word for word in last if word and _is_piece(word, known[word], vocabulary, counts)}


def _is_piece(word: str, times: int, vocabulary: Sequence[str], counts: NDArray[np.int64]) -> bool:
    start = bisect_left(vocabulary, word) + (times > 0)
    longer = counts[start : bisect_left(vocabulary, word + chr(0x10FFFF))]
    most = int(longer.max(initial=0))
    return most >= _OFTEN and times * _RARER <= most
