"""A judge without any service: it prefers the answer with more overlap with the reference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Judge
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.records import Failure
from ig4.plugins.metrics.ngrams import longest_common_subsequence

_WORD = re.compile(r"\w+")
_LOWEST, _HIGHEST = 1.0, 10.0


class ReferenceOptions(contracts.Options):
    """Options of the judge `reference`."""

    overlap: Literal["rouge-l", "words"] = Field(
        "rouge-l",
        description="F1 over the longest common subsequence of words, or over words in any order.",
    )


class Reference(Judge):
    """Scores each answer 1 + 9 * F1 of its overlap with the context: the image's description.

    Words are compared in lower case. Scores are equal for equal answers, whatever their order.
    It compares words and not meanings: use it for tests and toy data, not in place of a language
    model or a person.
    """

    version = "1"
    Options = ReferenceOptions
    options: ReferenceOptions

    def compare(self, batch: Sequence[Pair]) -> list[Verdict | Failure]:
        """Judge each pair by its context; a pair without one is a failure."""
        return [self._compare_pair(pair) for pair in batch]

    def _compare_pair(self, pair: Pair) -> Verdict | Failure:
        reference = words(pair.context)
        if not reference:
            return Failure("the pair has no context to compare its answers with: give --contexts")
        first, second = (self._score(words(text), reference) for text in (pair.first, pair.second))
        return Verdict(first, second, f"overlap: {self.options.overlap}")

    def _score(self, answer: Sequence[str], reference: Sequence[str]) -> float:
        if self.options.overlap == "words":
            common = (Counter(answer) & Counter(reference)).total()
        else:
            common = longest_common_subsequence(answer, reference)
        # The harmonic mean of precision and recall.
        f1 = 2 * common / (len(answer) + len(reference))
        return _LOWEST + (_HIGHEST - _LOWEST) * f1


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(text.lower())
