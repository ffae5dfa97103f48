"""Answers given again: how often others of the pool have the same answer, for its length."""

from __future__ import annotations

import unicodedata
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, PoolScorer
from ig4.plugins.scorers.hygiene.texts import word_count, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool


class GivenAgainOptions(contracts.Options):
    """Options of the scorer `given-again`."""

    half: float = Field(
        4.0, gt=0, le=1000, description="How many words beyond the first halve the right of an "
        "answer to be given again.",
    )  # fmt: skip


class GivenAgain(PoolScorer):
    """(1 - 1 / times given) x (1 - 2^(-(words - 1) / half)).

    "Yes" may come a thousand times and has 0; twenty words that come twice have 0.48, and ten
    times 0.87. Answers are compared without case, punctuation and white space.
    """

    version = "1"
    Options = GivenAgainOptions
    options: GivenAgainOptions

    def needs(self) -> Needs:
        """Return the texts."""
        return Needs(samples=True)

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the value (n,): 0 for what is given once, or is one word; NaN for blank ones."""
        digests = np.empty(pool.n, dtype="S32")
        lengths = np.empty(pool.n)
        for row, sample in enumerate(pool.samples):
            digests[row] = _digest(sample.answer)
            lengths[row] = word_count(sample.answer)
        _, place, counts = np.unique(digests, return_inverse=True, return_counts=True)
        times = counts[place.reshape(-1)]
        weight = 1.0 - np.exp2(-np.maximum(lengths - 1.0, 0.0) / self.options.half)
        return np.where(lengths > 0, (1.0 - 1.0 / times) * weight, np.nan)

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x (1 - value)."""
        return 100.0 * (1.0 - values)


def _digest(answer: str) -> str:
    """Return a hash of an answer's words; of the text itself where it has none (an emoji)."""
    text = answer if answer.isascii() else unicodedata.normalize("NFKC", answer)
    told = " ".join(words(text)) or text.strip()
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
