"""Asks a service directly, for trying a component out: no ledger, no limits, no retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.loop import run
from ig4.core.calls.request import RejectedError, Reply, Request, TransientError, UnreadableError
from ig4.core.records import Failure

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.calls.request import Ask

T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")


def answer_each(
    provider: Provider, answer: Callable[[U, Ask], Awaitable[R | Failure]], batch: Sequence[U]
) -> list[R | Failure]:
    """Have a component answer the units of a batch, one after another.

    Raises:
        ServiceError: the service takes no request.
    """
    return run(_answer_each(provider, answer, batch))


async def _answer_each(
    provider: Provider, answer: Callable[[U, Ask], Awaitable[R | Failure]], batch: Sequence[U]
) -> list[R | Failure]:
    async def ask(request: Request, read: Callable[[Reply], T], /) -> T:
        reply = await provider.send(request)
        return read(reply.within(request.max_tokens))

    await provider.open()
    try:
        answers: list[R | Failure] = []
        for unit in batch:
            try:
                answers.append(await answer(unit, ask))
            except (RejectedError, TransientError, UnreadableError) as error:
                answers.append(Failure(str(error)))
        return answers
    finally:
        await provider.close()
