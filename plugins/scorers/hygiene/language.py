"""Language, as far as the script tells it: does an answer stay in one, that of its question?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ig4.core.contracts import Scorer
from ig4.core.records import Failure, Sample, Score
from ig4.plugins.scorers.hygiene.texts import BLANK, answers, letters_by_script

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SPOKEN = 0.1  # of a question's letters: less is a name or a quotation


class Language(Scorer):
    """The share of an answer's letters in its main script, if the question uses that, too.

    Scripts only: German beside English is one script. Chinese characters and kana count as one,
    since Japanese mixes them. An answer without letters (a number) has 1.
    """

    version = "1"

    @property
    def outputs(self) -> tuple[str, ...]:
        """The two parts: `main` (share of the main script), `agreement` (with the question's)."""
        return ("main", "agreement")

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return 10_000

    def score(self, batch: Sequence[Sample]) -> list[Score | Failure]:
        """Return the lesser of the two parts, from 0 to 1, of each sample."""
        return [_rate(sample) for sample in batch]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x share."""
        return 100.0 * values


def _rate(sample: Sample) -> Score | Failure:
    told = answers(sample)
    if not told:
        return Failure(BLANK)
    own: Counter[str] = Counter()
    for text in told:
        own.update(letters_by_script(text))
    main, agreement = main_share(own), agreement_of(own, letters_by_script(sample.instruction))
    return Score(min(main, agreement), None, {"main": main, "agreement": agreement})


def main_share(own: Counter[str]) -> float:
    """Return the share of letters that the most frequent script has; 1 without letters."""
    return max(own.values()) / own.total() if own else 1.0


def agreement_of(own: Counter[str], asked: Counter[str]) -> float:
    """Return the share of an answer's letters in scripts of the question; 1 if either has none.

    A script counts as the question's if it has a tenth of its letters.
    """
    spoken = {script for script, many in asked.items() if many >= _SPOKEN * asked.total()}
    if not own or not spoken:
        return 1.0
    return sum(many for script, many in own.items() if script in spoken) / own.total()
