"""Gathers requests into batches, which cost less, and hands these over to the service."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.batching.collector import FAILURES
from ig4.core.calls.caller import raised_notice
from ig4.core.calls.groupcommit import GroupCommit
from ig4.core.calls.ledger import reply_of
from ig4.core.calls.provider import BatchLimitError, NotSubmittedError
from ig4.core.calls.request import (
    BudgetError,
    CallError,
    LostError,
    PendingError,
    RejectedError,
    Reply,
    Request,
    ServiceError,
    TransientError,
    UnreadableError,
)
from ig4.core.calls.worker import this_process
from ig4.core.counts import counted
from ig4.storage import batches, calls
from ig4.storage.calls import CallRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ig4.core.calls.batching.collector import BatchCollector

T = TypeVar("T")

TRIES = 3
"""How often a request goes into a batch before it counts as failed."""


class BatchQueue:
    """The requests of one component that go into its next batch.

    Provider, ledger, budget and prices are the collector's: what one hands over, the other
    collects.
    """

    def __init__(self, collector: BatchCollector) -> None:
        self.collector = collector
        self.provider = collector.provider
        self.ledger = collector.ledger
        self.budget = collector.budget
        self.pricing = collector.pricing
        self.notice = collector.notice
        self.size = collector.size
        self._requests: dict[str, Request] = {}
        self._bytes = 0
        self._tokens = 0
        self._renewed: set[str] = set()
        self._failures = 0
        """How many batches in a row could not be handed over."""
        self._raised = False
        self._lookup: GroupCommit[tuple[str, Request], CallRow | None] = GroupCommit(
            self._rows, self.ledger.thread
        )

    async def ask(self, request: Request, read: Callable[[Reply], T]) -> T:
        """Return what `read` makes of the reply, if there is one; else put the request in line.

        Raises:
            PendingError: there is no reply yet; LostError if there may never be one.
            UnreadableError: `read` raised it.
            RejectedError: the service will not answer it, or did not in several batches.
            BudgetError: no more requests may be sent.
        """
        request_hash = request.hash(self.provider.name)
        row = await self._lookup((request_hash, request))
        if row is not None and self._has_reply(row):
            own = row.request_hash == request_hash
            try:
                return read(reply_of(row).within(request.max_tokens) if own else reply_of(row))
            except UnreadableError as error:
                if row.state == calls.DONE:
                    await self.ledger.mark_unreadable(row.request_hash, row.reply, str(error))
                raise
        if row is not None and row.state == calls.LOST:
            raise LostError("the request lies in a lost batch")
        if row is not None and row.state in (calls.BATCH, calls.CLAIMED):
            raise PendingError("the request is on its way")
        self._refuse_failed(request_hash)
        if self.budget.reached:
            raise BudgetError(self.budget.reached)
        if request.raised_from and not self._raised:
            self._raised = True
            self.notice(raised_notice(request))
        if request_hash not in self._requests:
            await self._put(request_hash, request)
        raise PendingError("the request goes into a batch")

    async def _put(self, request_hash: str, request: Request) -> None:
        """Put a request in line; hand over what is in line if it has no room, or is the last."""
        size, tokens = self.provider.size(request), self.provider.tokens(request)
        while self._requests and not self._holds(size, tokens):
            await self.hand_over()
        if self.size.waiting:
            return  # it is not kept, for it may hold images: the next pass makes it again
        self._requests[request_hash] = request
        self._bytes += size
        self._tokens += tokens
        if len(self._requests) >= self.size.requests:
            await self.hand_over()

    def _holds(self, size: int, tokens: int) -> bool:
        """Tell whether one more request fits into the batch that is in line."""
        return self.size.holds(len(self._requests) + 1, self._bytes + size, self._tokens + tokens)

    def _has_reply(self, row: CallRow) -> bool:
        """Tell whether to read a row's reply; a renewed one that was unreadable must be new.

        One that was cut at its limit is not renewed: it would be cut again.
        """
        if row.state == calls.UNREADABLE and self.ledger.renew and not reply_of(row).at_limit:
            return row.request_hash in self._renewed
        return row.state in (calls.DONE, calls.UNREADABLE)

    def _refuse_failed(self, request_hash: str) -> None:
        """Raise RejectedError for a request that failed for good, or in `TRIES` batches."""
        error = self.collector.errors.get(request_hash)
        if isinstance(error, TransientError) and self.collector.tries.get(request_hash, 0) < TRIES:
            return
        if error is not None:
            raise RejectedError(str(error))

    def _rows(self, requests: Sequence[tuple[str, Request]]) -> list[CallRow | None]:
        by_hash = dict(requests)
        with self.ledger.store.reading() as connection:
            known = calls.lookup(connection, list(by_hash))
            free = [h for h in by_hash if h not in known or known[h].state == calls.FAILED]
            elsewhere = self.ledger.elsewhere(connection, by_hash)
            known |= calls.find_elsewhere(connection, free, elsewhere)
        return [known.get(request_hash) for request_hash, _ in requests]

    async def hand_over(self) -> None:
        """Record the requests in line as a batch, and give it to the service.

        If the service cannot take it now, the next pass gathers the same requests again.

        Raises:
            ServiceError: it never will.
        """
        requests, self._requests, self._bytes, self._tokens = self._requests, {}, 0, 0
        if self.size.waiting:
            return
        costs = self._affordable(requests)
        if not costs:
            return
        worst = sum(cost or 0.0 for cost in costs.values())
        # Held back before anything is awaited: another batch may be on its way already.
        self.budget.reserve(len(costs), worst)
        key, since = uuid.uuid4().hex, datetime.now(UTC)
        batch_id, claimed = await asyncio.to_thread(self._prepare, key, requests, costs)
        batch = {request_hash: requests[request_hash] for request_hash in claimed}
        remote_id = await self._try(key, batch_id, batch, since) if batch else None
        if remote_id is None:
            self.budget.settle(worst, calls=len(costs))
            return
        with self.ledger.store.writing(durable=True) as connection:
            batches.mark_submitted(connection, batch_id, remote_id)
        self._failures = 0
        self.collector.expect(batch_id, batch, self._count_tokens(batch), worst)
        self.notice(f"batch {batch_id}: {counted(len(batch), 'request')} handed over ({remote_id})")

    async def _try(
        self, key: str, batch_id: int, batch: Mapping[str, Request], since: datetime
    ) -> str | None:
        """Return the service's id of a batch, or None if it is to be tried again.

        Raises:
            ServiceError: the service takes none, or took none in many tries.
        """
        try:
            return await self._submit(key, batch_id, batch, since)
        except BatchLimitError as error:
            tokens = self._count_tokens(batch)
            self.size.refuse(len(batch), tokens, error, others=self.collector.open > 0)
            self.collector.tell_refused(batch_id, error)
        except TransientError as error:
            self._failures += 1
            if self._failures >= FAILURES:
                raise ServiceError(
                    f"no batch could be handed over in {self._failures} tries, the last: {error}. "
                    "Is the service up, and the address right? The next run goes on from here."
                ) from error
            self.notice(
                f"batch {batch_id} could not be handed over: {error}; it will be tried again"
            )
        return None

    def _count_tokens(self, batch: Mapping[str, Request]) -> int:
        return sum(self.provider.tokens(request) for request in batch.values())

    async def _submit(
        self, key: str, batch_id: int, requests: Mapping[str, Request], since: datetime
    ) -> str:
        """Return the service's id of a batch; if it takes none, free the requests."""
        try:
            return await self.provider.submit(key, requests)
        except NotSubmittedError as error:
            await asyncio.to_thread(self._fail, batch_id, error)
            raise
        except TransientError as error:
            # The reply may have been lost, and not the batch.
            remote_id = await self.collector.find(key, set(requests), since)
            if remote_id is not None:
                return remote_id
            await asyncio.to_thread(self._fail, batch_id, error)
            raise
        except CallError as error:
            await asyncio.to_thread(self._fail, batch_id, error)
            raise ServiceError(f"the service took no batch: {error}") from error

    def _affordable(self, requests: Mapping[str, Request]) -> dict[str, float | None]:
        """Return as many requests as the budget has room for, with the most that each can cost."""
        affordable: dict[str, float | None] = {}
        total = 0.0
        for request_hash, request in requests.items():
            price = self.pricing.of(request.model)
            worst = None
            if price is not None:
                tokens = self.provider.tokens(request)
                worst = price.batch * price.of(tokens, 0, request.max_tokens)
            if not self.budget.room(len(affordable) + 1, total + (worst or 0.0)):
                # Batches at work may cost less than was held back, and make room for the rest.
                if not affordable and not self.budget.outstanding:
                    self.budget.stop()
                break
            affordable[request_hash] = worst
            total += worst or 0.0
        return affordable

    def _prepare(
        self, key: str, requests: Mapping[str, Request], costs: Mapping[str, float | None]
    ) -> tuple[int, set[str]]:
        """Record a batch; return its number and the hashes that this process could claim."""
        ledger = self.ledger
        rows = [
            {**row, "cost": costs[row["request_hash"]]}
            for row in ledger.new_rows({one: requests[one] for one in costs})
        ]
        if ledger.renew:
            self._renewed.update(costs)
        with ledger.store.writing(durable=True) as connection:
            elsewhere = ledger.elsewhere(connection, requests)
            return batches.prepare(
                connection, this_process().id, key, rows, renew=ledger.renew, elsewhere=elsewhere
            )

    def _fail(self, batch_id: int, error: CallError) -> None:
        with self.ledger.store.writing(durable=True) as connection:
            batches.finish(connection, batch_id, batches.FAILED, str(error))
