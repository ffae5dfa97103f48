"""Sends requests within limits and budget, with retries; replies in the ledger come first."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.ledger import REFUSED, pack_reply, reply_of
from ig4.core.calls.request import (
    CallError,
    LostError,
    PendingError,
    RejectedError,
    Reply,
    Request,
    ServiceError,
    TransientError,
    UnreadableError,
    tokens_of,
)
from ig4.core.counts import counted, verb
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

_TRIES_BEFORE_NOTICE = 3

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0  # seconds
LANDING_SECONDS = 20.0
"""How long an interrupted run waits for replies that are on their way."""
LONGEST_RETRY_AFTER = 3600.0
"""The longest Retry-After, in seconds, that is obeyed; a longer one ends the run."""


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
        self._notified = False
        self._raised = False
        self._unanswered = 0
        """How many requests in a row got no reply in all their tries."""
        self._service_error: ServiceError | None = None
        self._flights: set[asyncio.Task[Reply]] = set()

    async def ask(self, request: Request, read: Callable[[Reply], T]) -> T:
        """Return what `read` makes of the reply to a request.

        Raises:
            UnreadableError: `read` raised it; the ledger remembers it.
            RejectedError: the service will not answer this request, or did not in many tries.
            PendingError: the request lies in a batch.
            ServiceError, BudgetError: no more requests can be sent.
        """
        request_hash = request.hash(self.provider.name)
        row = await self.ledger.claim(request, request_hash)
        if row is None:
            self._notify_raised(request)
            reply, known_hash = await self._send(request, request_hash), request_hash
        else:
            reply, known_hash = _reply_in_ledger(row), row.request_hash
        try:
            return read(reply)
        except UnreadableError as error:
            if row is None or row.state == calls.DONE:
                judged = pack_reply(reply) if row is None else row.reply
                await self.ledger.mark_unreadable(known_hash, judged, str(error))
            raise

    async def _send(self, request: Request, request_hash: str) -> Reply:
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
                    reply = await self._send_once(request, request_hash, number)
        except TransientError as error:
            raise await self._record_failure(request_hash, error) from error
        except RejectedError as error:
            self._unanswered = 0
            await self.ledger.record(CallOutcome(request_hash, calls.FAILED, error=str(error)))
            raise
        except Exception:
            # The budget, the service, or a bug: other tasks may wait for this very request.
            await self.ledger.release(request_hash)
            raise
        self._unanswered = 0
        return reply

    async def _send_once(self, request: Request, request_hash: str, attempt: int) -> Reply:
        price = self.pricing.of(request.model)
        tokens = self.provider.tokens(request)
        worst = price.of(tokens, 0, request.max_tokens) if price else 0.0
        async with self.limits.slot(tokens + request.max_tokens), self.budget.spending(worst):
            if self._service_error is not None:
                raise self._service_error
            known = await self.ledger.confirm(request, request_hash)
            if known is not None:
                return _reply_in_ledger(known)
            flight = asyncio.create_task(self._fly(request, request_hash, attempt))
            self._flights.add(flight)
            flight.add_done_callback(self._landed)
            # Who waits may be cancelled; a request that was sent may be paid for, and goes on.
            # The slot is freed once the reply is committed: a crash loses no more than were sent.
            return await asyncio.shield(flight)

    async def _fly(self, request: Request, request_hash: str, attempt: int) -> Reply:
        """Send a request once, and commit the reply."""
        price, tokens = self.pricing.of(request.model), self.provider.tokens(request)
        began = time.perf_counter()
        try:
            reply = await self.provider.send(request)
        except TransientError as error:
            self._obey_rate_limit(error)
            self._notify(error, attempt)
            raise
        except ServiceError as error:
            self._service_error = error  # requests that wait for their turn need not try
            raise
        seconds = time.perf_counter() - began
        reply = reply.within(request.max_tokens)
        if not reply.input_tokens and not reply.output_tokens:
            # A server that counts no tokens charges for them nevertheless.
            reply = replace(reply, input_tokens=tokens, output_tokens=tokens_of(reply.text))
        cost = price.of_reply(reply) if price else None
        self.budget.paid(cost or 0.0)
        self.cost += cost or 0.0
        await self.ledger.record(outcome_of(request_hash, reply, cost, seconds, attempt))
        return reply

    def _landed(self, flight: asyncio.Task[Reply]) -> None:
        self._flights.discard(flight)
        if not flight.cancelled():
            flight.exception()  # nobody may be left to see it

    async def land(self, seconds: float = LANDING_SECONDS) -> None:
        """Wait for the requests that are on their way, after those who asked were cancelled.

        They may be paid for, and the next run finds their replies in the ledger.
        """
        if not self._flights:
            return
        count = len(self._flights)
        self._notice(
            f"waiting up to {seconds:g} s for {counted(count, 'request')} on "
            f"{verb(count, 'its', 'their')} way, which may be paid for; interrupt again to give "
            f"{verb(count, 'it', 'them')} up"
        )
        flights = set(self._flights)
        try:
            await asyncio.wait(flights, timeout=seconds)
        finally:
            for flight in flights:
                flight.cancel()

    def _obey_rate_limit(self, error: TransientError) -> None:
        """Pause all requests if the service limits all of them."""
        wanted = error.retry_after or 0.0
        if wanted > LONGEST_RETRY_AFTER:
            raise ServiceError(
                f"the service wants no request for {wanted / 3600:.1f} hours ({error}): "
                "start the run again then"
            ) from error
        if error.limited and wanted:
            self.limits.pause(wanted)

    def _notify(self, error: TransientError, attempt: int) -> None:
        """Say once why nothing seems to happen: tries with their pauses take minutes."""
        if attempt >= _TRIES_BEFORE_NOTICE and not self._notified:
            self._notified = True
            self._notice(f"a request failed {attempt} times and is tried again: {error}")

    def _notify_raised(self, request: Request) -> None:
        """Say once that replies are paid for twice, and how to pay for them once."""
        if request.raised_from and not self._raised:
            self._raised = True
            self._notice(raised_notice(request))

    async def _record_failure(self, request_hash: str, error: TransientError) -> CallError:
        """Record a request that never succeeded; return what to raise.

        After many of these in a row the service is at fault, not the request.
        """
        reason = f"no reply in {self.attempts} tries: {error}"
        await self.ledger.record(
            CallOutcome(request_hash, calls.FAILED, error=reason, attempts=self.attempts)
        )
        self._unanswered += 1
        if self._unanswered >= max(8, self.limits.concurrency):
            return ServiceError(
                f"{self._unanswered} requests one after another got no reply, the last: {error}. "
                "Is the service up, and the address right? The next run goes on from here."
            )
        return RejectedError(reason)


def raised_notice(request: Request) -> str:
    """Return what to tell a user whose limit of tokens is too small for a model."""
    return (
        f"replies of {request.model} are cut at {counted(request.raised_from, 'token')}; each is "
        f"asked for once more with {request.max_tokens:,}: raise the option max_tokens to pay only "
        "once"
    )


def outcome_of(
    request_hash: str, reply: Reply, cost: float | None, seconds: float | None, attempts: int = 1
) -> CallOutcome:
    """Return the ledger's columns of a reply."""
    return CallOutcome(
        request_hash,
        calls.DONE,
        reply=pack_reply(reply),
        finish=REFUSED if reply.refused else reply.finish,
        input_tokens=reply.input_tokens,
        cached_tokens=reply.cached_tokens,
        output_tokens=reply.output_tokens,
        cost=cost,
        seconds=seconds,
        attempts=attempts,
    )


def _reply_in_ledger(row: CallRow) -> Reply:
    """Return the reply that the ledger has.

    Raises:
        PendingError: the request lies with the service in a batch; LostError if that is lost.
    """
    if row.state == calls.LOST:
        raise LostError("the request lies in a lost batch")
    if row.state == calls.BATCH:
        raise PendingError("the request lies in a batch")
    return reply_of(row)


def _wait(state: RetryCallState) -> float:
    """Return the seconds until the next try: what the service wants, else more each time."""
    error = state.outcome.exception() if state.outcome else None
    # Jitter, so that requests that failed together are not sent together again.
    upper = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (state.attempt_number - 1))
    jitter = random.uniform(upper / 2, upper)  # noqa: S311 - no secret depends on it
    wanted = getattr(error, "retry_after", None)
    return jitter if wanted is None else wanted + random.uniform(0, upper / 2)  # noqa: S311 - as above
