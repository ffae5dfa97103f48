"""Gathers requests into batches, which cost less, and hands these over to the service."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.caller import raised_notice
from ig4.core.calls.groupcommit import GroupCommit
from ig4.core.calls.ledger import reply_of
from ig4.core.calls.request import (
    BudgetError,
    CallError,
    PendingError,
    RejectedError,
    Reply,
    Request,
    ServiceError,
    TransientError,
    UnreadableError,
)
from ig4.core.calls.worker import this_process
from ig4.storage import batches, calls
from ig4.storage.calls import CallRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ig4.core.calls.batching.collector import BatchCollector

T = TypeVar("T")

TRIES = 3
"""How often a request goes into a batch before it counts as failed."""

HAND_OVERS = 10
"""How many batches in a row the service may fail to take before the run ends."""

_SLACK = timedelta(minutes=10)  # between the service's clock and ours, and for a long upload


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
        self._requests: dict[str, Request] = {}
        self._bytes = 0
        self._tries: dict[str, int] = {}
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
            PendingError: there is no reply yet.
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
                    await self.ledger.mark_unreadable(row.request_hash, str(error))
                raise
        if row is not None and row.state in (calls.BATCH, calls.CLAIMED):
            raise PendingError("the request is on its way")
        self._refuse_failed(request_hash)
        if self.budget.reached:
            raise BudgetError(self.budget.reached)
        if request.raised_from and not self._raised:
            self._raised = True
            self.notice(raised_notice(request))
        if request_hash not in self._requests:
            self._requests[request_hash] = request
            self._bytes += self.provider.size(request)
        if self.full:
            await self.hand_over()
        raise PendingError("the request goes into a batch")

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
        if isinstance(error, TransientError) and self._tries.get(request_hash, 0) < TRIES:
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

    @property
    def full(self) -> bool:
        """Whether the requests in line fill a batch."""
        return (
            len(self._requests) >= self.provider.batch_requests
            or self._bytes >= self.provider.batch_bytes
        )

    async def hand_over(self) -> None:
        """Record the requests in line as a batch, and give it to the service.

        If the service cannot take it now, the next pass gathers the same requests again.

        Raises:
            ServiceError: it never will.
        """
        requests, self._requests, self._bytes = self._requests, {}, 0
        requests, worst = self._affordable(requests)
        if not requests:
            return
        # Held back before anything is awaited: another batch may be on its way already.
        self.budget.reserve(len(requests), worst)
        key = uuid.uuid4().hex
        batch_id, claimed = await asyncio.to_thread(self._prepare, key, requests)
        batch = {request_hash: requests[request_hash] for request_hash in claimed}
        try:
            remote_id = await self._submit(key, batch_id, batch) if batch else None
        except TransientError as error:
            self._failures += 1
            if self._failures >= HAND_OVERS:
                raise ServiceError(
                    f"no batch could be handed over in {self._failures} tries, the last: {error}. "
                    "Is the service up, and the address right? The next run goes on from here."
                ) from error
            self.notice(
                f"batch {batch_id} could not be handed over: {error}; it will be tried again"
            )
            remote_id = None
        if remote_id is None:
            self.budget.settle(worst, calls=len(requests))
            return
        with self.ledger.store.writing() as connection:
            batches.mark_submitted(connection, batch_id, remote_id)
        self._failures = 0
        for request_hash in batch:
            self._tries[request_hash] = self._tries.get(request_hash, 0) + 1
        self.collector.expect(batch_id, batch, worst)
        self.notice(f"batch {batch_id}: {len(batch):,} requests handed over ({remote_id})")

    async def _submit(self, key: str, batch_id: int, requests: Mapping[str, Request]) -> str:
        """Return the service's id of a batch; if it takes none, free the requests."""
        try:
            return await self.provider.submit(key, requests)
        except TransientError as error:
            # The reply may have been lost, and not the batch.
            remote_id = await self.provider.find(key, set(requests), datetime.now(UTC) - _SLACK)
            if remote_id is not None:
                return remote_id
            await asyncio.to_thread(self._fail, batch_id, error)
            raise
        except CallError as error:
            await asyncio.to_thread(self._fail, batch_id, error)
            raise ServiceError(f"the service took no batch: {error}") from error

    def _affordable(self, requests: Mapping[str, Request]) -> tuple[dict[str, Request], float]:
        """Return as many requests as the budget has room for, and the most they can cost."""
        affordable: dict[str, Request] = {}
        total = 0.0
        for request_hash, request in requests.items():
            price = self.pricing.of(request.model)
            worst = 0.0
            if price is not None:
                tokens = self.provider.tokens(request)
                worst = price.batch * price.of(tokens, 0, request.max_tokens)
            if not self.budget.room(len(affordable) + 1, total + worst):
                # Batches at work may cost less than was held back, and make room for the rest.
                if not affordable and not self.budget.outstanding:
                    self.budget.stop()
                break
            affordable[request_hash] = request
            total += worst
        return affordable, total

    def _prepare(self, key: str, requests: Mapping[str, Request]) -> tuple[int, set[str]]:
        """Record a batch; return its number and the hashes that this process could claim."""
        ledger = self.ledger
        rows = ledger.new_rows(requests)
        if ledger.renew:
            self._renewed.update(requests)
        with ledger.store.writing() as connection:
            elsewhere = ledger.elsewhere(connection, requests)
            return batches.prepare(
                connection, this_process().id, key, rows, renew=ledger.renew, elsewhere=elsewhere
            )

    def _fail(self, batch_id: int, error: CallError) -> None:
        with self.ledger.store.writing() as connection:
            batches.finish(connection, batch_id, batches.FAILED, str(error))
