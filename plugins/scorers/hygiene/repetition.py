"""Repetition: how much of an answer it has said before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import eq
from typing import TYPE_CHECKING

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Scorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.scorers.hygiene.texts import BLANK, answers, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RepetitionOptions(contracts.Options):
    """Options of the scorer `repetition`."""

    n: int = Field(
        4, ge=2, le=20, description="How many words in a row make a repetition when they come "
        "again.",
    )  # fmt: skip
    characters: int = Field(
        5, ge=2, le=50, description="The same for characters, within words of more than four "
        "times as many.",
    )  # fmt: skip


class Repetition(Scorer):
    """The share of an answer's characters that stand in n-grams which it has had before.

    As the duplicate n-grams of Gopher (arXiv 2112.11446, table A1), which are not counted twice
    where they overlap; but only the second time counts. The turns of a conversation may repeat
    each other ("Yes." "Yes."): each is looked at for itself.
    """

    version = "1"
    Options = RepetitionOptions
    options: RepetitionOptions

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return 10_000

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Return the share, from 0 (nothing is said twice) to below 1, of each sample."""
        return [self._rate(sample) for sample in batch]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x (1 - share): an answer that never repeats itself has 100."""
        return 100.0 * (1.0 - values)

    def _rate(self, sample: Sample) -> Score | Failure:
        told = answers(sample)
        if not told:
            return Failure(BLANK)
        again = total = 0
        for text in told:
            found = words(text)
            again += repeated_characters(found, self.options.n, self.options.characters)
            total += sum(map(len, found))
        return Score(again / total if total else 0.0)


def repeated_characters(found: Sequence[str], n: int, characters: int) -> int:
    """Return how many characters of words are said again.

    Those of a word that stands in n words which came before in this order, or is at least the
    third of its kind in a row; of other words, if they are long, those in such sequences of
    characters within the word.
    """
    again = said_again(found, n)
    if True in map(eq, found, found[1:]):  # seldom, and fast to see
        rows = zip(found, found[1:], found[2:], strict=False)
        again.update(i for i, (one, two, three) in enumerate(rows, 2) if one == two == three)
    count = sum(len(found[i]) for i in again)
    if max(map(len, found), default=0) > 4 * characters:
        count += sum(
            len(said_again(word, characters))
            for i, word in enumerate(found)
            if len(word) > 4 * characters and i not in again
        )
    return count


def said_again(items: Sequence[str], n: int) -> set[int]:
    """Return the places of items in any n in a row that came before, overlapping or not."""
    last = len(items) - n + 1
    if last < 2:
        return set()
    if len(set(_grams(items, n))) == last:
        return set()
    seen: set[object] = set()
    again: set[int] = set()
    for i, gram in enumerate(_grams(items, n)):
        if gram in seen:
            again.update(range(i, i + n))
        seen.add(gram)
    return again


def _grams(items: Sequence[str], n: int) -> Iterator[object]:
    return zip(*(items[i:] for i in range(n)), strict=False)
