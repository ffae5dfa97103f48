"""Asks a service directly, for trying a component out: no ledger, no limits, no retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.loop import run
from ig4.core.calls.request import RejectedError, Reply, Request, TransientError, UnreadableError
from ig4.core.contracts.evaluation import Pair, Verdict
from ig4.core.records import Failure, Sample, Score

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.contracts import Ask, AsyncJudge, AsyncScorer

T = TypeVar("T")
G = TypeVar("G")
R = TypeVar("R")


def rate_all(scorer: AsyncScorer, batch: Sequence[Sample]) -> list[Score | Failure]:
    """Rate samples one after another.

    Raises:
        ServiceError: the service takes no request.
    """
    return run(_one_by_one(scorer.provider(), scorer.rate, batch))


def judge_all(judge: AsyncJudge, batch: Sequence[Pair]) -> list[Verdict | Failure]:
    """Judge pairs one after another.

    Raises:
        ServiceError: the service takes no request.
    """
    return run(_one_by_one(judge.provider(), judge.judge, batch))


async def _one_by_one(
    provider: Provider,
    answer: Callable[[G, Ask], Awaitable[R | Failure]],
    batch: Sequence[G],
) -> list[R | Failure]:
    async def ask(request: Request, read: Callable[[Reply], T], /) -> T:
        return read(await provider.send(request))

    await provider.open()
    try:
        given: list[R | Failure] = []
        for one in batch:
            try:
                given.append(await answer(one, ask))
            except (RejectedError, TransientError, UnreadableError) as error:
                given.append(Failure(str(error)))
        return given
    finally:
        await provider.close()
