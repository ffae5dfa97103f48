"""Rates an answer by the share of its letters that are vowels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ig4.core.contracts import Options, Scorer
from ig4.core.records import Failure, Sample, Score


class VowelOptions(Options):
    """What counts as a vowel."""

    vowels: str = Field("aeiou", description="The letters that count.", min_length=1)


class Vowels(Scorer):
    """Share of vowels among the letters of the answer, 0 to 1."""

    version = "1"
    Options = VowelOptions
    options: VowelOptions

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Rate each sample; an answer without letters is a failure."""
        return [self._score(sample.answer) for sample in batch]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn shares into percents."""
        return 100 * values

    def _score(self, answer: str) -> Score | Failure:
        letters = [letter for letter in answer.lower() if letter.isalpha()]
        if not letters:
            return Failure("the answer has no letters")
        vowels = sum(letter in self.options.vowels for letter in letters)
        return Score(vowels / len(letters), {"letters": len(letters)})
