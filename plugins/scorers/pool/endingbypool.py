"""Endings by the pool: does an answer break off where no other answer of the pool ends?"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, PoolScorer
from ig4.plugins.scorers.hygiene.texts import answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")  # noqa: RUF001 - apostrophes as texts have them
_MARK = re.compile(r"[.!?。！？…。।॥؟۔]")  # noqa: RUF001 - marks of many scripts

_EXPECTED = 3.0  # marks behind a word, if it ended sentences as often as others do


class EndingByPoolOptions(contracts.Options):
    """Options of the scorer `ending-by-pool`."""

    seen: int = Field(20, ge=2, description="How often a word must be seen before it is evidence.")
    rare: float = Field(
        0.01, gt=0, lt=0.5, description="The share of a word's uses below which a use is an oddity."
    )
    words: int = Field(
        4, ge=2, description="Answers of fewer words need no end: 'red', 'two dogs'."
    )


class EndingByPool(PoolScorer):
    """0 for an answer that breaks off by what the pool shows, 0.25 if others like it end, else 1.

    Only answers without a mark at their end are looked at. One breaks off inside a word if its
    last word is seen nowhere else, and words that it begins are ("smal" beside "small"). It
    breaks off inside a sentence if its last word is seen often, and never before a mark ("a
    large"). Where most answers of four words or more end with a mark, one that has none has 0.25.
    Of a conversation the worst answer counts. No language is known; where a pool sets no marks,
    or is too small to tell, nothing is held against an answer.
    """

    version = "1"
    Options = EndingByPoolOptions
    options: EndingByPoolOptions

    def needs(self) -> Needs:
        """Return the texts."""
        return Needs(samples=True)

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the value (n,); NaN for samples without an answer."""
        endings = [_endings(answers(sample)) for sample in pool.samples]
        usage = _Usage(self.options)
        for sample, ends in zip(pool.samples, endings, strict=True):
            usage.add(answers(sample), ends)
        usage.sort()
        values = np.full(pool.n, np.nan)
        for row, ends in enumerate(endings):
            if ends:
                values[row] = min(usage.value(end) for end in ends)
        return values

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x value."""
        return 100.0 * values


class _Ending(NamedTuple):
    """How an answer ends: its last word, how many words it has, and whether a mark follows."""

    word: str
    words: int
    marked: bool


def _endings(texts: Iterable[str]) -> list[_Ending]:
    found = []
    for text in texts:
        words = _WORD.findall(text)
        last = words[-1] if words else ""
        rest = text[text.rfind(last) + len(last) :] if last else text
        # What ends with neither a letter nor a mark (a bracket, an emoji) is no broken word.
        marked = not last or bool(rest.strip()) or not last[-1].isalpha()
        found.append(_Ending(last.casefold(), len(words), marked))
    return found


@dataclass
class _Usage:
    """How often the pool uses each word anywhere but at an end without a mark."""

    options: EndingByPoolOptions
    uses: Counter[str] = field(default_factory=Counter)
    before_mark: Counter[str] = field(default_factory=Counter)
    sentences: int = 0
    marked: int = 0

    def add(self, texts: Iterable[str], ends: Iterable[_Ending]) -> None:
        """Count the words of a sample's answers."""
        for text, end in zip(texts, ends, strict=True):
            found = [word.casefold() for word in _WORD.findall(text)]
            self.uses.update(found if end.marked else found[:-1])
            for match in _WORD.finditer(text):
                if _MARK.match(text, match.end()):
                    self.before_mark[match[0].casefold()] += 1
            if end.words >= self.options.words:
                self.sentences += 1
                self.marked += end.marked

    def sort(self) -> None:
        """Make the words ready to be looked up by how they begin."""
        self._marks, self._all = self.before_mark.total(), max(1, self.uses.total())
        self._words = sorted(self.uses)
        self._sums = np.concatenate(
            [[0], np.cumsum([self.uses[word] for word in self._words], dtype=np.int64)]
        )

    def value(self, end: _Ending) -> float:
        """Return how surely an answer with this ending is complete."""
        if end.marked:
            return 1.0
        if self._is_part_of_a_word(end.word):
            return 0.0
        if end.words < self.options.words:
            return 1.0
        if self._never_ends(end.word):
            return 0.0
        return 0.25 if 2 * self.marked > self.sentences else 1.0

    def _is_part_of_a_word(self, word: str) -> bool:
        longer = self._beginning_with(word) - self.uses[word]
        return longer >= self.options.seen and self.uses[word] <= self.options.rare * longer

    def _never_ends(self, word: str) -> bool:
        uses = self.uses[word]
        if uses < self.options.seen:
            return False
        # That a word stands before no mark tells little where marks are few.
        expected = uses * self._marks / self._all
        return expected >= _EXPECTED and self.before_mark[word] <= self.options.rare * uses

    def _beginning_with(self, word: str) -> int:
        low = bisect_left(self._words, word)
        high = bisect_right(self._words, word + "\U0010ffff")
        return int(self._sums[high] - self._sums[low])
