"""Collects the replies of batches that this run, or an earlier one, handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC
from typing import TYPE_CHECKING

from ig4.core.calls.caller import outcome_of
from ig4.core.calls.request import CallError, NotFoundError, Reply, ServiceError, TransientError
from ig4.core.calls.worker import this_process
from ig4.storage import batches, calls
from ig4.storage.calls import CallOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ig4.core.calls.budget import Budget
    from ig4.core.calls.ledger import Ledger
    from ig4.core.calls.prices import Price, Pricing
    from ig4.core.calls.provider import Provider
    from ig4.storage.batches import BatchRow

_COMMITTED = 1000  # outcomes in one transaction


class BatchCollector:
    """The batches of one component that the service is at work on."""

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        budget: Budget,
        pricing: Pricing,
        notice: Callable[[str], None],
    ) -> None:
        self.provider = provider
        self.ledger = ledger
        self.budget = budget
        self.pricing = pricing
        self.notice = notice
        self.cost = 0.0
        self.open = 0
        """How many batches the service was still at work on when it was last asked."""
        self.errors: dict[str, CallError] = {}
        """Why requests failed in the last batch that they were in, by hash."""
        self.siblings: Sequence[int] = ()
        """Components whose batches are collected, too: earlier versions or options of this one."""
        self._refusal: ServiceError | None = None
        """Why the service would take no other request either, as a line of a batch said."""
        self._reserved: dict[int, float] = {}

    def expect(self, batch_id: int, hashes: Iterable[str], worst: float) -> None:
        """Take note of a batch handed over; `worst` US dollars are held back for it."""
        self._reserved[batch_id] = worst
        self.open += 1
        for request_hash in hashes:
            self.errors.pop(request_hash, None)

    async def collect(self) -> int:
        """Record what the service has finished; return how many requests have an outcome now.

        Raises:
            ServiceError: the service refuses every request, or refused a batch.
        """
        with self.ledger.store.reading() as connection:
            rows = batches.list_unfinished(connection, self.ledger.component_id)
            for sibling in self.siblings:
                rows += batches.list_unfinished(connection, sibling)
        alive = await asyncio.to_thread(self.ledger.alive) if rows else set()
        self.open = 0
        count = 0
        for row in rows:
            try:
                count += await self._collect_one(row, alive)
            except TransientError as error:
                self.open += 1
                self.notice(f"batch {row.id}: {error}; the service will be asked again")
            except NotFoundError as error:
                if row.component_id != self.ledger.component_id:
                    self.notice(f"batch {row.id}, made with other options, is not found: {error}")
                    continue
                # It is too old, or another account's: its requests are to be sent anew.
                left = await asyncio.to_thread(self._finish, row.id, batches.FAILED, str(error))
                self.notice(f"batch {row.id} is lost, with {left:,} requests: {error}")
        if self._refusal is not None:
            raise self._refusal
        return count

    async def _collect_one(self, row: BatchRow, alive: set[str]) -> int:
        remote_id = row.remote_id or await self._find_lost(row, alive)
        if remote_id is None:
            return 0
        state = await self.provider.batch(remote_id)
        if state.state == "running":
            self.open += 1
            return 0
        count = 0
        if state.state != "failed":
            count = await self._record_results(row, remote_id)
        end = batches.CANCELLED if state.state == "cancelled" else state.state
        left = await asyncio.to_thread(self._finish, row.id, end, state.message or None)
        self.budget.settle(self._reserved.pop(row.id, 0.0))
        if state.state == "failed" and not count:
            raise ServiceError(f"the service refused batch {row.id}: {state.message}")
        if left:
            self.notice(f"batch {row.id} ended without a reply to {left:,} requests")
        return count

    async def _find_lost(self, row: BatchRow, alive: set[str]) -> str | None:
        """Find a batch whose id was never recorded; free its requests if there is none."""
        if row.worker in alive and row.worker != this_process().id:
            self.open += 1
            return None
        with self.ledger.store.reading() as connection:
            hashes = batches.pending_hashes(connection, row.id)
        since = row.created_at.replace(tzinfo=row.created_at.tzinfo or UTC)
        remote_id = await self.provider.find(row.key, hashes, since)
        with self.ledger.store.writing() as connection:
            if remote_id is None:
                batches.finish(connection, row.id, batches.FAILED, "it never reached the service")
            else:
                batches.mark_submitted(connection, row.id, remote_id)
        return remote_id

    async def _record_results(self, row: BatchRow, remote_id: str) -> int:
        price = self.pricing.of(row.model)
        with self.ledger.store.reading() as connection:
            missing = batches.pending_hashes(connection, row.id)
        count = 0
        outcomes: list[CallOutcome] = []
        try:
            async for request_hash, result in self.provider.results(remote_id):
                if request_hash in missing:  # else it was recorded before the last try was cut off
                    count += 1
                    outcomes.append(self._outcome(request_hash, result, price))
                if len(outcomes) >= _COMMITTED:
                    full, outcomes = outcomes, []
                    await asyncio.to_thread(self._record, full)
        finally:
            self._record(outcomes)
        return count

    def _outcome(
        self, request_hash: str, result: Reply | CallError, price: Price | None
    ) -> CallOutcome:
        if isinstance(result, CallError):
            self.errors[request_hash] = result
            if isinstance(result, ServiceError):
                # Not as it is: a NotFoundError would be taken for a batch that is lost.
                self._refusal = self._refusal or ServiceError(str(result))
            return CallOutcome(request_hash, calls.FAILED, error=str(result))
        cost = price.of_reply(result, batch=True) if price else None
        self.cost += cost or 0.0
        self.budget.paid(cost or 0.0)
        return outcome_of(request_hash, result, cost, None)

    def _record(self, outcomes: Sequence[CallOutcome]) -> None:
        if outcomes:
            with self.ledger.store.writing() as connection:
                calls.record(connection, outcomes)

    def _finish(self, batch_id: int, state: str, error: str | None) -> int:
        """End a batch; return how many of its requests had no reply and are free again."""
        with self.ledger.store.writing() as connection:
            return batches.finish(connection, batch_id, state, error)
