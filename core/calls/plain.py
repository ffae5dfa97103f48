"""Asks a service directly, for trying a scorer out: no ledger, no limits, no retries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.loop import run
from ig4.core.calls.request import RejectedError, Reply, Request, TransientError, UnreadableError
from ig4.core.records import Failure, Sample, Score

if TYPE_CHECKING:
    from ig4.core.contracts import AsyncScorer

T = TypeVar("T")


def rate_all(scorer: AsyncScorer, batch: Sequence[Sample]) -> list[Score | Failure]:
    """Rate samples one after another.

    Raises:
        ServiceError: the service takes no request.
    """
    return run(_rate_all(scorer, batch))


async def _rate_all(scorer: AsyncScorer, batch: Sequence[Sample]) -> list[Score | Failure]:
    provider = scorer.provider()

    async def ask(request: Request, read: Callable[[Reply], T], /) -> T:
        return read(await provider.send(request))

    await provider.open()
    try:
        given: list[Score | Failure] = []
        for sample in batch:
            try:
                given.append(await scorer.rate(sample, ask))
            except (RejectedError, TransientError, UnreadableError) as error:
                given.append(Failure(str(error)))
        return given
    finally:
        await provider.close()
