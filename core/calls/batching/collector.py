"""Collects the replies of batches that this run, or an earlier one, handed over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from ig4.core.calls.batching.size import PATIENCE, BatchSize
from ig4.core.calls.caller import outcome_of
from ig4.core.calls.provider import BatchLimitError, BatchState
from ig4.core.calls.request import CallError, NotFoundError, Reply, ServiceError, TransientError
from ig4.core.calls.worker import this_process
from ig4.core.counts import counted
from ig4.storage import batches, calls
from ig4.storage.calls import CallOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ig4.core.calls.budget import Budget
    from ig4.core.calls.ledger import Ledger
    from ig4.core.calls.prices import Price, Pricing
    from ig4.core.calls.provider import Provider
    from ig4.storage.batches import BatchRow

_COMMITTED = 1000  # outcomes in one transaction

FAILURES = 10
"""How many batches in a row the service may fail to take before the run ends."""

_AGAIN = (1.0, 2.0, 4.0)
"""Seconds after which a batch that the service does not know is asked for again, at once."""

_LOOKS = (0.0, 0.1, 0.3, 1.0)
"""After which parts of the usual pause a batch whose id was lost is looked for: one that was just
made may not be listed yet."""

_MISSES = 10
"""How often a run that waits finds a batch missing before it counts as lost."""

_STUCK_SECONDS = 6 * 3600.0
"""After how many seconds without progress the user is told."""


@dataclass(frozen=True, slots=True)
class _Expected:
    """What this run handed over as a batch; `worst` US dollars are held back for it."""

    hashes: frozenset[str]
    tokens: int
    worst: float


class BatchCollector:
    """The batches of one component that the service is at work on.

    `waits` tells whether the run stays until they have ended; `poll_seconds` is how often it asks.
    """

    def __init__(
        self,
        provider: Provider,
        ledger: Ledger,
        budget: Budget,
        pricing: Pricing,
        notice: Callable[[str], None],
        *,
        waits: bool = False,
        poll_seconds: float = 30.0,
    ) -> None:
        self.provider = provider
        self.ledger = ledger
        self.budget = budget
        self.pricing = pricing
        self.notice = notice
        self.waits = waits
        self.poll_seconds = poll_seconds
        self.size = BatchSize(provider)
        self.cost = 0.0
        self.open = 0
        """How many batches the service was still at work on when it was last asked."""
        self.errors: dict[str, CallError] = {}
        """Why requests failed in the last batch that they were in, by hash."""
        self.siblings: Sequence[int] = ()
        """Components whose batches are collected, too: earlier versions or options of this one."""
        self._refusal: ServiceError | None = None
        """Why the service would take no other request either, as a line of a batch said."""
        self.tries: dict[str, int] = {}
        """How many batches requests were in, by hash."""
        self._expected: dict[int, _Expected] = {}
        self._failures = 0
        self._refused: dict[int, int] = {}
        self._misses: dict[int, int] = {}
        self._progress: dict[int, tuple[int, float]] = {}

    def expect(self, batch_id: int, hashes: Iterable[str], tokens: int, worst: float) -> None:
        """Take note of a batch handed over; `worst` US dollars are held back for it."""
        self._expected[batch_id] = _Expected(frozenset(hashes), tokens, worst)
        self.open += 1
        for request_hash in self._expected[batch_id].hashes:
            self.errors.pop(request_hash, None)
            self.tries[request_hash] = self.tries.get(request_hash, 0) + 1

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
        refused: list[tuple[BatchRow, BatchLimitError]] = []
        for row in rows:
            if row.state == batches.LOST and row.id in self._misses:
                continue  # once in a run is enough
            try:
                count += await self._ask_again(row, alive)
            except BatchLimitError as error:
                refused.append((row, error))
            except TransientError as error:
                self.open += 1
                self.notice(f"batch {row.id}: {error}; the service will be asked again")
            except NotFoundError as error:
                if row.component_id != self.ledger.component_id:
                    self.notice(f"batch {row.id}, made with other options, is not found: {error}")
                    continue
                await self._miss(row, error)
        for row, limit in refused:
            self._refuse(row, limit)
        if not self.open:
            self.size.waiting = False  # nobody is left to wait for
        if self._refusal is not None:
            raise self._refusal
        return count

    async def _ask_again(self, row: BatchRow, alive: set[str]) -> int:
        """Collect a batch; one that is not there may be in a moment."""
        if row.state != batches.LOST:
            for pause in _AGAIN:
                try:
                    return await self._collect_one(row, alive)
                except NotFoundError:
                    await asyncio.sleep(min(pause, self.poll_seconds))
        return await self._collect_one(row, alive)

    async def _collect_one(self, row: BatchRow, alive: set[str]) -> int:
        remote_id = row.remote_id or await self._find_lost(row, alive)
        if remote_id is None:
            return 0
        state = await self.provider.batch(remote_id)
        if state.state == "running":
            self.open += 1
            await self._note_progress(row, remote_id, state)
            return 0
        if state.state == "failed" and not state.replies:
            await self._fail(row, state)
            return 0
        count = await self._record_results(row, remote_id, state)
        end = batches.CANCELLED if state.state == "cancelled" else state.state
        left = await asyncio.to_thread(self._finish, row.id, end, state.message or None)
        self._settle(row)
        self._failures = 0
        self.size.end()
        if left:
            self.notice(f"batch {row.id} ended without a reply to {counted(left, 'request')}")
        return count

    async def _fail(self, row: BatchRow, state: BatchState) -> None:
        """End a batch that was refused as a whole; raise why, or nothing if it goes on anew.

        Raises:
            BatchLimitError: it was too large.
            ServiceError: another try would not succeed.
        """
        await asyncio.to_thread(self._finish, row.id, batches.FAILED, state.message or None)
        expected = self._settle(row, made=False)
        if expected is not None:
            self._refused[row.id] = expected.tokens
            for request_hash in expected.hashes:
                self.tries[request_hash] -= 1  # it was no try
        if isinstance(state.error, BatchLimitError):
            raise BatchLimitError(
                str(state.error), tokens=state.error.tokens, alone=state.error.alone
            )
        self._failures += 1
        if state.error is None or self._failures >= FAILURES:
            raise ServiceError(f"the service refused batch {row.id}: {state.message}")
        self.notice(f"batch {row.id} failed: {state.error}; its requests will be sent again")

    def _refuse(self, row: BatchRow, error: BatchLimitError) -> None:
        """Let the next batch be smaller, or wait."""
        tokens = self._refused.pop(row.id, 0)
        self.size.refuse(row.requests, tokens, error, others=self.open > 0)
        self.tell_refused(row.id, error)

    def tell_refused(self, batch_id: int, error: BatchLimitError) -> None:
        """Say what happens after a batch was too large.

        Raises:
            ServiceError: it holds one request, and was refused again and again.
        """
        size = self.size
        if size.refused_alone > PATIENCE:
            raise ServiceError(
                f"the service has had no room for a single request for a long time, the last "
                f"answer: {error}. The next run goes on from here."
            )
        again = (
            "its requests will be sent once there is room"
            if size.waiting
            else f"the next ones hold {counted(size.requests, 'request')} at most"
            + (f" and about {counted(size.tokens, 'token')}" if size.tokens else "")
        )
        self.notice(f"batch {batch_id} is more than the service takes now ({error}): {again}")

    async def _note_progress(self, row: BatchRow, remote_id: str, state: BatchState) -> None:
        """Remember how far a batch is, and say if it stays where it is."""
        if row.state == batches.LOST:
            await asyncio.to_thread(self._mark_submitted, row.id, remote_id)
        done, since = self._progress.get(row.id, (-1, 0.0))
        now = time.monotonic()
        if done != state.done or now - since > _STUCK_SECONDS:
            self._progress[row.id] = (state.done, now)
            if done == state.done:
                self.notice(
                    f"batch {row.id} has got no further for {_STUCK_SECONDS / 3600:.0f} hours: "
                    f"`ig4 batch cancel {row.id}` ends it, and keeps the replies that it has"
                )

    async def _miss(self, row: BatchRow, error: NotFoundError) -> None:
        """Note that a batch, or its results, could not be found; it is lost after many times.

        Nothing is sent again: the service may have worked, and will have it paid.
        """
        self._misses[row.id] = self._misses.get(row.id, 0) + 1
        if row.state != batches.LOST and self.waits and self._misses[row.id] < _MISSES:
            self.open += 1
            if self._misses[row.id] == 1:
                self.notice(f"batch {row.id}: {error}; the service will be asked again")
            return
        left = await asyncio.to_thread(self._mark_lost, row.id, str(error))
        expected = self._settle(row)
        self.budget.paid(expected.worst if expected else 0.0)  # perhaps
        self.notice(
            f"batch {row.id} is lost, with {counted(left, 'request')} that may have been paid: "
            f"{error}. Nothing of it is sent again unless you say so, with `ig4 batch resend "
            f"{row.id}`; every run looks for the batch once more"
        )

    async def _find_lost(self, row: BatchRow, alive: set[str]) -> str | None:
        """Find a batch whose id was never recorded; free its requests if there is none."""
        if row.worker in alive and row.worker != this_process().id:
            self.open += 1
            return None
        with self.ledger.store.reading() as connection:
            hashes = batches.pending_hashes(connection, row.id)
        since = row.created_at.replace(tzinfo=row.created_at.tzinfo or UTC)
        remote_id = await self.find(row.key, hashes, since)
        if remote_id is None:
            await asyncio.to_thread(
                self._finish, row.id, batches.FAILED, "it never reached the service"
            )
        else:
            await asyncio.to_thread(self._mark_submitted, row.id, remote_id)
        return remote_id

    async def find(self, key: str, hashes: set[str], since: datetime) -> str | None:
        """Look for a batch whose id was lost, several times: it may have been made just now.

        Raises:
            CallError: the service does not say.
        """
        for part in _LOOKS:
            await asyncio.sleep(part * self.poll_seconds)
            remote_id = await self.provider.find(key, hashes, since)
            if remote_id is not None:
                return remote_id
        return None

    async def _record_results(self, row: BatchRow, remote_id: str, state: BatchState) -> int:
        """Record every outcome; return how many are new.

        Raises:
            NotFoundError: the results do not hold as many replies as the service says.
        """
        price = self.pricing.of(row.model)
        with self.ledger.store.reading() as connection:
            missing = batches.pending_hashes(connection, row.id)
        count = 0
        replies: set[str] = set()
        outcomes: list[CallOutcome] = []
        try:
            async for request_hash, result in self.provider.results(remote_id):
                if isinstance(result, Reply):
                    replies.add(request_hash)
                if request_hash in missing:  # else it was recorded before the last try was cut off
                    missing.discard(request_hash)
                    count += 1
                    outcomes.append(self._outcome(request_hash, result, price))
                if len(outcomes) >= _COMMITTED:
                    full, outcomes = outcomes, []
                    await asyncio.to_thread(self._record, full)
        finally:
            self._record(outcomes)
        if missing and len(replies) < (state.replies or 0):
            raise NotFoundError(
                f"its results hold {len(replies):,} of the {counted(state.replies or 0, 'reply')} "
                "that the service counts"
            )
        for request_hash in missing:
            self.errors[request_hash] = TransientError("the batch ended without a reply to it")
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

    def _settle(self, row: BatchRow, *, made: bool = True) -> _Expected | None:
        """Give back what was held back for a batch; return what was expected of it.

        Its calls are given back too if they were not `made` after all.
        """
        expected = self._expected.pop(row.id, None)
        if expected is not None:
            self.budget.settle(expected.worst, calls=0 if made else len(expected.hashes))
        return expected

    def _record(self, outcomes: Sequence[CallOutcome]) -> None:
        if outcomes:
            with self.ledger.store.writing(durable=True) as connection:
                calls.record(connection, outcomes)

    def _mark_submitted(self, batch_id: int, remote_id: str) -> None:
        with self.ledger.store.writing(durable=True) as connection:
            batches.mark_submitted(connection, batch_id, remote_id)

    def _mark_lost(self, batch_id: int, error: str) -> int:
        with self.ledger.store.writing(durable=True) as connection:
            return batches.mark_lost(connection, batch_id, error)

    def _finish(self, batch_id: int, state: str, error: str | None) -> int:
        """End a batch; return how many of its requests had no reply and are free again."""
        with self.ledger.store.writing(durable=True) as connection:
            return batches.finish(connection, batch_id, state, error)
