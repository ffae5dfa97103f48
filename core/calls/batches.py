"""Asks in batches, at a lower price: handed over, remembered, collected in this run or a later."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.caller import outcome_of
from ig4.core.calls.groupcommit import GroupCommit
from ig4.core.calls.ledger import reply_of
from ig4.core.calls.request import (
    BudgetError,
    CallError,
    NotFoundError,
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
from ig4.storage.calls import CallOutcome, CallRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ig4.core.calls.budget import Budget
    from ig4.core.calls.ledger import Ledger
    from ig4.core.calls.prices import Price, Pricing
    from ig4.core.calls.provider import Provider
    from ig4.storage.batches import BatchRow

T = TypeVar("T")

TRIES = 3
"""How often a request goes into a batch before it counts as failed."""

HAND_OVERS = 10
"""How many batches in a row the service may fail to take before the run ends."""

_SLACK = timedelta(minutes=10)  # between the service's clock and ours, and for a long upload

_RECORDED = 1000  # outcomes committed at a time


class Batches:
    """The batches of one component: what `ask` cannot answer yet is gathered for the next."""

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
        """How many batches the service was still at work on at the last look."""
        self._gathered: dict[str, Request] = {}
        self._bytes = 0
        self._tries: dict[str, int] = {}
        self._errors: dict[str, CallError] = {}
        self._reserved: dict[int, float] = {}
        self._renewed: set[str] = set()
        self._in_vain = 0
        self._lookup: GroupCommit[str, CallRow | None] = GroupCommit(self._rows, ledger.thread)

    # Asking

    async def ask(self, request: Request, read: Callable[[Reply], T]) -> T:
        """Return what `read` makes of the reply, if it is there; else gather the request.

        Raises:
            PendingError: it is not there yet.
            UnreadableError: `read` said so.
            RejectedError: the service will not answer it, or did not in several batches.
            BudgetError: it may not be asked any more.
        """
        known_hash = request.hash(self.provider.name)
        row = await self._lookup(known_hash)
        if row is not None and self._counts(row):
            try:
                return read(reply_of(row))
            except UnreadableError as error:
                if row.state == calls.DONE:
                    await self.ledger.mark_unreadable(known_hash, str(error))
                raise
        if row is not None and row.state in (calls.BATCH, calls.CLAIMED):
            raise PendingError("the request is on its way")
        self._give_up_on(known_hash)
        if self.budget.reached:
            raise BudgetError(self.budget.reached)
        if known_hash not in self._gathered:
            self._gathered[known_hash] = request
            self._bytes += self.provider.size(request)
        if self.full:
            await self.hand_over()
        raise PendingError("the request goes into a batch")

    def _counts(self, row: CallRow) -> bool:
        """Tell whether a row's reply is to be read; one that is renewed counts once it is new."""
        if row.state == calls.UNREADABLE and self.ledger.renew:
            return row.request_hash in self._renewed
        return row.state in (calls.DONE, calls.UNREADABLE)

    def _give_up_on(self, known_hash: str) -> None:
        error = self._errors.get(known_hash)
        if isinstance(error, TransientError) and self._tries.get(known_hash, 0) < TRIES:
            return
        if error is not None:
            raise RejectedError(str(error))

    def _rows(self, hashes: Sequence[str]) -> list[CallRow | None]:
        with self.ledger.store.reading() as connection:
            known = calls.lookup(connection, list(dict.fromkeys(hashes)))
        return [known.get(one) for one in hashes]

    # Handing over

    @property
    def full(self) -> bool:
        """Whether what is gathered fills a batch."""
        return (
            len(self._gathered) >= self.provider.batch_requests
            or self._bytes >= self.provider.batch_bytes
        )

    async def hand_over(self) -> None:
        """Write down what is gathered as a batch, and give it to the service.

        Where the service does not take it now, the next pass gathers the same again.

        Raises:
            ServiceError: it never will.
        """
        requests, self._gathered, self._bytes = self._gathered, {}, 0
        requests, worst = self._affordable(requests)
        if not requests:
            return
        # Held back before anything is awaited: another batch may be on its way already.
        self.budget.reserve(len(requests), worst)
        key = uuid.uuid4().hex
        batch_id, got = await asyncio.to_thread(self._prepare, key, requests)
        chosen = {known: requests[known] for known in got}
        try:
            remote_id = await self._submit(key, batch_id, chosen) if chosen else None
        except TransientError as error:
            self._in_vain += 1
            if self._in_vain >= HAND_OVERS:
                raise ServiceError(
                    f"no batch could be handed over in {self._in_vain} tries, the last: {error}. "
                    "Is the service up, and the address right? The next run goes on from here."
                ) from error
            self.notice(f"batch {batch_id} could not be handed over: {error}; tried again later")
            remote_id = None
        if remote_id is None:
            self.budget.settle(worst, calls=len(requests))
            return
        with self.ledger.store.writing() as connection:
            batches.mark_submitted(connection, batch_id, remote_id)
        self._in_vain = 0
        self._reserved[batch_id] = worst
        self.open += 1
        for known in chosen:
            self._tries[known] = self._tries.get(known, 0) + 1
            self._errors.pop(known, None)
        self.notice(f"batch {batch_id}: {len(chosen):,} requests handed over ({remote_id})")

    async def _submit(self, key: str, batch_id: int, requests: Mapping[str, Request]) -> str:
        """Return the service's id of a batch; where it has none, free the requests."""
        try:
            return await self.provider.submit(key, requests)
        except TransientError as error:
            # The answer may have been lost, and not the batch.
            found = await self.provider.find(key, set(requests), datetime.now(UTC) - _SLACK)
            if found is not None:
                return found
            await asyncio.to_thread(self._finish, batch_id, batches.FAILED, str(error))
            raise
        except CallError as error:
            await asyncio.to_thread(self._finish, batch_id, batches.FAILED, str(error))
            raise ServiceError(f"the service took no batch: {error}") from error

    def _affordable(self, requests: Mapping[str, Request]) -> tuple[dict[str, Request], float]:
        """Return as many requests as the budget has room for, and the worst they can cost."""
        chosen: dict[str, Request] = {}
        total = 0.0
        for known, request in requests.items():
            price = self.pricing.of(request.model)
            worst = 0.0
            if price is not None:
                tokens = self.provider.tokens(request)
                worst = price.batch * price.of(tokens, 0, request.max_tokens)
            if not self.budget.room(len(chosen) + 1, total + worst):
                # Batches at work may come in cheaper than feared, and make room for the rest.
                if not chosen and not self.budget.outstanding:
                    self.budget.stop()
                break
            chosen[known] = request
            total += worst
        return chosen, total

    def _prepare(self, key: str, requests: Mapping[str, Request]) -> tuple[int, set[str]]:
        ledger = self.ledger
        rows = [
            {
                "request_hash": known,
                "provider": self.provider.name,
                "model": request.model,
                "component_id": ledger.component_id,
                "run_id": ledger.run_id,
            }
            for known, request in requests.items()
        ]
        if ledger.renew:
            self._renewed.update(requests)
        with ledger.store.writing() as connection:
            return batches.prepare(connection, this_process().id, key, rows, renew=ledger.renew)

    # Collecting

    async def collect(self) -> int:
        """Take in what the service has finished; return how many requests have an outcome now.

        Raises:
            ServiceError: the service lets nobody in.
        """
        with self.ledger.store.reading() as connection:
            rows = batches.list_unfinished(connection, self.ledger.component_id)
        alive = await asyncio.to_thread(self.ledger.alive) if rows else set()
        self.open = 0
        taken = 0
        for row in rows:
            try:
                taken += await self._collect_one(row, alive)
            except TransientError as error:
                self.open += 1
                self.notice(f"batch {row.id}: {error}; asked again later")
            except NotFoundError as error:
                # It is too old, or another account's: its requests are to be asked anew.
                left = await asyncio.to_thread(self._finish, row.id, batches.FAILED, str(error))
                self.notice(f"batch {row.id} is lost, with {left:,} requests: {error}")
        return taken

    async def _collect_one(self, row: BatchRow, alive: set[str]) -> int:
        remote_id = row.remote_id or await self._lost(row, alive)
        if remote_id is None:
            return 0
        state = await self.provider.batch(remote_id)
        if state.state == "running":
            self.open += 1
            return 0
        taken = 0
        if state.state != "failed":
            taken = await self._take_in(row, remote_id)
        ended = batches.CANCELLED if state.state == "cancelled" else state.state
        left = await asyncio.to_thread(self._finish, row.id, ended, state.message or None)
        self.budget.settle(self._reserved.pop(row.id, 0.0))
        if state.state == "failed" and not taken:
            raise ServiceError(f"the service refused batch {row.id}: {state.message}")
        if left:
            self.notice(f"batch {row.id} ended without a reply to {left:,} requests")
        return taken

    async def _lost(self, row: BatchRow, alive: set[str]) -> str | None:
        """Find a batch whose id was never written down; free its requests if there is none."""
        if row.worker in alive and row.worker != this_process().id:
            self.open += 1
            return None
        with self.ledger.store.reading() as connection:
            custom = batches.pending_hashes(connection, row.id)
        since = row.created_at.replace(tzinfo=row.created_at.tzinfo or UTC)
        found = await self.provider.find(row.key, custom, since)
        with self.ledger.store.writing() as connection:
            if found is None:
                batches.finish(connection, row.id, batches.FAILED, "it never reached the service")
            else:
                batches.mark_submitted(connection, row.id, found)
        return found

    async def _take_in(self, row: BatchRow, remote_id: str) -> int:
        price = self.pricing.of(row.model)
        with self.ledger.store.reading() as connection:
            missing = batches.pending_hashes(connection, row.id)
        taken = 0
        outcomes: list[CallOutcome] = []
        try:
            async for known, came in self.provider.results(remote_id):
                if known in missing:  # else it was taken in before the last try was cut off
                    taken += 1
                    outcomes.append(self._outcome(known, came, price))
                if len(outcomes) >= _RECORDED:
                    full, outcomes = outcomes, []
                    await asyncio.to_thread(self._record, full)
        finally:
            self._record(outcomes)
        return taken

    def _outcome(self, known: str, came: Reply | CallError, price: Price | None) -> CallOutcome:
        if isinstance(came, CallError):
            self._errors[known] = came
            return CallOutcome(known, calls.FAILED, error=str(came))
        cost = price.of_reply(came, batch=True) if price else None
        self.cost += cost or 0.0
        self.budget.paid(cost or 0.0)
        return outcome_of(known, came, cost, None)

    def _record(self, outcomes: Sequence[CallOutcome]) -> None:
        if outcomes:
            with self.ledger.store.writing() as connection:
                calls.record(connection, outcomes)

    def _finish(self, batch_id: int, state: str, error: str | None) -> int:
        with self.ledger.store.writing() as connection:
            return batches.finish(connection, batch_id, state, error)
