"""The contracts of judges, which compare two answers to one question."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ig4.core.calls.direct import answer_each
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.contracts.root import Configurable
from ig4.core.records import Failure

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.calls.request import Ask


class Judge(Configurable):
    """Compares two answers to one question.

    A judge sees each pair in the order it is given; the engine asks in both orders, and turns
    the two verdicts into win, tie or fail (InstructionGPT-4, section 5.2).
    """

    @property
    def sees_images(self) -> bool:
        """Whether `compare` looks at `pair.images`, with these options."""
        return False

    @property
    def batch_size(self) -> int:
        """How many pairs `compare` gets, and ig4 commits, at a time."""
        return 64

    @abstractmethod
    def compare(self, batch: Sequence[Pair]) -> Sequence[Verdict | Failure]:
        """Judge each pair, in order. A bad pair is a Failure and does not affect the others."""


class AsyncJudge(Judge):
    """Compares pairs one at a time by asking a service; the engine judges many at once."""

    @abstractmethod
    def provider(self) -> Provider:
        """Return the service to ask, not opened."""

    @abstractmethod
    async def judge(self, pair: Pair, ask: Ask) -> Verdict | Failure:
        """Judge one pair; requests must depend on the pair and the options alone."""

    def compare(self, batch: Sequence[Pair]) -> Sequence[Verdict | Failure]:
        """Judge each pair, one after another, without the engine's ledger, limits and retries."""
        return answer_each(self.provider(), self.judge, batch)
