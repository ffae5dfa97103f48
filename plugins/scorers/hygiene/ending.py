"""Ending: does an answer end, or does it break off inside a word or a sentence?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ig4.core.contracts import Scorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.scorers.hygiene.endings import end_of
from ig4.plugins.scorers.hygiene.texts import BLANK, answers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Ending(Scorer):
    """1 for an answer that ends, 0 for one that breaks off, 0.5 where that cannot be told.

    Of a conversation the worst turn counts. See `ig4.plugins.scorers.hygiene.endings`.
    """

    version = "1"

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return 10_000

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Return 1, 0.5 or 0 for each sample; details say why not 1, and in which answer."""
        return [_rate(sample) for sample in batch]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x value."""
        return 100.0 * values


def _rate(sample: Sample) -> Score | Failure:
    ends = [end_of(text) for text in answers(sample)]
    if not ends:
        return Failure(BLANK)
    worst = min(range(len(ends)), key=lambda place: ends[place].value)
    end = ends[worst]
    if end.value == 1:
        return Score(1.0)
    return Score(end.value, {"why": end.why, "answer": worst + 1})
