"""The length of an answer, one of the paper's four indicators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Scorer
from ig4.core.engine.selecting.scaling import share_of_longest
from ig4.core.errors import MissingExtraError
from ig4.core.records import Sample, Score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LengthOptions(contracts.Options):
    """Options of the scorer `length`."""

    unit: Literal["characters", "words", "tokens"] = Field(
        "characters",
        description="What is counted; tokens are those of CLIP's tokenizer (needs ig4[clip]).",
    )


class Length(Scorer):
    """Counts the answer's characters, words or tokens."""

    version = "1"
    Options = LengthOptions
    options: LengthOptions
    _tokenizer: Any = None

    @property
    def batch_size(self) -> int:
        """How many samples to score, and commit, at a time."""
        return 10_000

    def open(self) -> None:
        """Load the tokenizer if tokens are counted.

        Raises:
            MissingExtraError: open_clip is not installed.
        """
        if self.options.unit != "tokens":
            return
        try:
            from open_clip.tokenizer import SimpleTokenizer
        except ImportError:
            raise MissingExtraError(
                'scorer length counts tokens with open_clip: pip install "ig4[clip]"'
            ) from None
        self._tokenizer = SimpleTokenizer()

    def close(self) -> None:
        """Free the tokenizer."""
        self._tokenizer = None

    def score(self, batch: Sequence[Sample]) -> list[Score]:
        """Return the length of each answer."""
        return [Score(float(self._length(sample.answer))) for sample in batch]

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x length / the longest, the paper's scale."""
        return share_of_longest(values)

    def _length(self, answer: str) -> int:
        if self.options.unit == "characters":
            return len(answer)
        if self.options.unit == "words":
            return len(answer.split())
        return len(self._tokenizer.encode(answer))
