"""Asks a service within limits, budget and retries, and never what the ledger knows already."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.ledger import REFUSED, reply_of
from ig4.core.calls.request import (
    CallError,
    PendingError,
    RejectedError,
    Reply,
    Request,
    ServiceError,
    TransientError,
    UnreadableError,
    tokens_of,
)
from ig4.storage import calls
from ig4.storage.calls import CallOutcome, CallRow

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from ig4.core.calls.budget import Budget
    from ig4.core.calls.ledger import Ledger
    from ig4.core.calls.limits import Limits
    from ig4.core.calls.prices import Pricing
    from ig4.core.calls.provider import Provider

T = TypeVar("T")

_PATIENCE = 3  # tries before it is said that they fail

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds
WAIT_AT_MOST = 3600.0
"""The longest Retry-After, in seconds, that is obeyed; more means: stop."""


class Caller:
    """Sends the requests of one component to one service."""

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        limits: Limits,
        budget: Budget,
        pricing: Pricing,
        *,
        attempts: int = 10,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.provider = provider
        self.ledger = ledger
        self.limits = limits
        self.budget = budget
        self.attempts = attempts
        self.pricing = pricing
        self.cost = 0.0
        self._notice = notice
        self._complained = False
        self._in_vain = 0
        self._broken: ServiceError | None = None

    async def ask(self, request: Request, read: Callable[[Reply], T]) -> T:
        """Return what `read` makes of the reply to a request.

        Raises:
            UnreadableError: `read` said so; the ledger remembers it.
            RejectedError: the service will not answer this request, or did not in many tries.
            PendingError: the request lies in a batch.
            ServiceError, BudgetError: nothing more can be asked.
        """
        known_hash = request.hash(self.provider.name)
        row = await self.ledger.claim(request, known_hash)
        reply = await self._send(request, known_hash) if row is None else _told(row)
        try:
            return read(reply)
        except UnreadableError as error:
            if row is None or row.state == calls.DONE:
                await self.ledger.mark_unreadable(known_hash, str(error))
            raise

    async def _send(self, request: Request, known_hash: str) -> Reply:
        """Send a claimed request until there is a reply, and commit that."""
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

        tries = AsyncRetrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(self.attempts),
            wait=_wait,
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    number = attempt.retry_state.attempt_number
                    reply = await self._once(request, known_hash, number)
        except TransientError as error:
            raise await self._given_up(known_hash, error) from error
        except RejectedError as error:
            self._in_vain = 0
            await self.ledger.record(CallOutcome(known_hash, calls.FAILED, error=str(error)))
            raise
        except Exception:
            # The budget, the service, or a defect: others may wait for this very request.
            await self.ledger.release(known_hash)
            raise
        self._in_vain = 0
        return reply

    async def _once(self, request: Request, known_hash: str, attempt: int) -> Reply:
        price = self.pricing.of(request.model)
        tokens = self.provider.tokens(request)
        worst = price.of(tokens, 0, request.max_tokens) if price else 0.0
        async with self.limits.slot(tokens + request.max_tokens), self.budget.spending(worst):
            if self._broken is not None:
                raise self._broken
            began = time.perf_counter()
            try:
                reply = await self.provider.send(request)
            except TransientError as error:
                self._heed(error)
                self._complain(error, attempt)
                raise
            except ServiceError as error:
                self._broken = error  # those who wait for their turn need not try
                raise
            seconds = time.perf_counter() - began
            if not reply.input_tokens and not reply.output_tokens:
                # A server that counts nothing charges nevertheless.
                reply = replace(reply, input_tokens=tokens, output_tokens=tokens_of(reply.text))
            cost = price.of_reply(reply) if price else None
            self.budget.paid(cost or 0.0)
            self.cost += cost or 0.0
            # Its place is free only when it is safe: no crash can lose more than were on their way.
            await self.ledger.record(outcome_of(known_hash, reply, cost, seconds, attempt))
        return reply

    def _heed(self, error: TransientError) -> None:
        """Let all requests wait where the service limits all."""
        wanted = error.retry_after or 0.0
        if wanted > WAIT_AT_MOST:
            raise ServiceError(
                f"the service wants no request for {wanted / 3600:.1f} hours ({error}): go on then"
            ) from error
        if error.limited and wanted:
            self.limits.pause(wanted)

    def _complain(self, error: TransientError, attempt: int) -> None:
        """Say once why nothing may seem to happen: tries with their pauses take minutes."""
        if attempt >= _PATIENCE and not self._complained:
            self._complained = True
            self._notice(f"a request failed {attempt} times and is tried again: {error}")

    async def _given_up(self, known_hash: str, error: TransientError) -> CallError:
        """Record a request that never succeeded; if none does, the service is at fault."""
        told = f"no reply in {self.attempts} tries: {error}"
        await self.ledger.record(
            CallOutcome(known_hash, calls.FAILED, error=told, attempts=self.attempts)
        )
        self._in_vain += 1
        if self._in_vain >= max(8, self.limits.concurrency):
            return ServiceError(
                f"{self._in_vain} requests one after another got no reply, the last: {error}. "
                "Is the service up, and the address right? The next run goes on from here."
            )
        return RejectedError(told)


def outcome_of(
    known_hash: str, reply: Reply, cost: float | None, seconds: float | None, attempts: int = 1
) -> CallOutcome:
    """Return the ledger's columns of a reply."""
    return CallOutcome(
        known_hash,
        calls.DONE,
        reply=reply.text,
        finish=REFUSED if reply.refused else reply.finish,
        input_tokens=reply.input_tokens,
        cached_tokens=reply.cached_tokens,
        output_tokens=reply.output_tokens,
        cost=cost,
        seconds=seconds,
        attempts=attempts,
    )


def _told(row: CallRow) -> Reply:
    """Return the reply that the ledger has.

    Raises:
        PendingError: the request lies with the service in a batch.
    """
    if row.state == calls.BATCH:
        raise PendingError("the request lies in a batch")
    return reply_of(row)


def _wait(state: RetryCallState) -> float:
    """Return the seconds until the next try: what the service wants, else more each time."""
    error = state.outcome.exception() if state.outcome else None
    # Jitter, so that those who failed together do not come back together.
    upper = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (state.attempt_number - 1))
    jitter = random.uniform(upper / 2, upper)  # noqa: S311 - no secret depends on it
    wanted = getattr(error, "retry_after", None)
    return jitter if wanted is None else wanted + random.uniform(0, upper / 2)  # noqa: S311 - as above
