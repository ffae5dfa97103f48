"""The scoring stage of scorers that ask services: many samples at once, each reply committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, cast

from ig4.core.calls.batches import Batches
from ig4.core.calls.budget import Budget
from ig4.core.calls.caller import Caller
from ig4.core.calls.ledger import Ledger
from ig4.core.calls.limits import Limits
from ig4.core.calls.loop import run
from ig4.core.calls.prices import Pricing
from ig4.core.calls.request import BudgetError, CallError, PendingError, ServiceError
from ig4.core.engine.samples import sample_of
from ig4.core.engine.tasks import EMPTY_ANSWER, Row, as_row
from ig4.core.errors import Ig4Error
from ig4.core.events import BatchScored, StageAdvanced, StageFinished, StageStarted
from ig4.core.images import ImageError
from ig4.core.records import Failure, Sample, Score
from ig4.storage import samples, scores
from ig4.storage.errors import DatabaseBusyError, StorageError

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.calls.terms import Terms
    from ig4.core.contracts import Ask, AsyncScorer
    from ig4.core.engine.plan import Pending, Plan
    from ig4.core.engine.session import Session

_PAGE = 500
_FLUSH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking services.

    `stopped` says why it ended early, if it did. By scorer: `done` counts the samples rated now,
    `cost` is in US dollars, and `waiting` counts the samples whose requests lie in batches.
    """

    stopped: str | None
    calls: int
    done: Mapping[str, int]
    cost: Mapping[str, float]
    waiting: Mapping[str, int]


def ask_all(session: Session, plan: Plan, terms: Terms, *, renew: bool = False) -> Asked:
    """Rate what the async scorers of a plan have not yet rated.

    With `renew`, replies that could not be read are asked for again.

    Raises:
        ServiceError: a key, permission or credit is missing; what was committed stays.
        PrerequisiteError: there is no key.
    """
    return run(_ask_all(session, plan, terms, renew=renew))


async def _ask_all(session: Session, plan: Plan, terms: Terms, *, renew: bool) -> Asked:
    budget = Budget(terms.max_cost, terms.max_calls)
    stages = [
        Stage(session, plan, label, terms, budget, renew=renew)
        for label, pending in plan.asking.items()
        if len(pending.places)
    ]
    # One service's trouble ends the others too, after they have committed what they have.
    tasks = [asyncio.create_task(stage.run()) for stage in stages]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return Asked(
        budget.reached,
        budget.calls,
        {stage.label: stage.done for stage in stages},
        {stage.label: stage.cost for stage in stages},
        {stage.label: stage.waiting for stage in stages if stage.waiting},
    )


class Stage:
    """One async scorer at work on the samples it has yet to rate."""

    def __init__(
        self,
        session: Session,
        plan: Plan,
        label: str,
        terms: Terms,
        budget: Budget,
        *,
        renew: bool,
    ) -> None:
        self.session = session
        self.plan = plan
        self.label = label
        self.terms = terms
        self.budget = budget
        self.renew = renew
        self.done = 0
        self.waiting = 0
        self.cost = 0.0
        self.pending: Pending = plan.scorers[label]
        self.scorer = cast("AsyncScorer", self.pending.configured.component)
        self._rows: list[Row] = []
        self._told_cost = 0.0
        self._spenders: list[Caller | Batches] = []

    async def run(self) -> None:
        """Rate all; ends early when the budget is reached."""
        provider = self.scorer.provider()
        ledger = Ledger(
            self.session.store,
            provider.name,
            self.pending.component_id,
            self.session.run_id,
            renew=self.renew,
        )
        pricing = Pricing(
            self.terms.prices,
            provider.prices,
            limited=self.budget.max_cost is not None,
            notice=self.session.notice,
        )
        began = time.perf_counter()
        self.scorer.open()
        await provider.open()
        with self.session.store.writing() as connection:
            scores.bind(connection, self.plan.dataset.id, self.label, self.pending.component_id)
        self.session.emit(StageStarted(self.label, len(self.pending.places)))
        try:
            async with ledger.opened():
                batches = Batches(provider, ledger, self.budget, pricing, self.session.notice)
                self._spenders.append(batches)
                await batches.collect()
                if self.terms.batch:
                    await self._rate_in_batches(batches)
                else:
                    await self._rate_all(self._caller(provider, ledger, pricing))
                self._flush()
        finally:
            await provider.close()
            self.scorer.close()
        self.session.speeds[self.pending.configured.fingerprint.value] = [
            float(self.done), time.perf_counter() - began
        ]  # fmt: skip
        told = [f"${self.cost:.4f}"] if self.cost else []
        told += ["stopped at its limit"] if self.budget.reached else []
        self.session.emit(StageFinished(self.label, ", ".join(told)))

    def _caller(self, provider: Provider, ledger: Ledger, pricing: Pricing) -> Caller:
        terms = self.terms
        limits = Limits(terms.concurrency, terms.requests_per_minute, terms.tokens_per_minute)
        caller = Caller(
            provider,
            ledger,
            limits,
            self.budget,
            pricing,
            attempts=terms.attempts,
            notice=self.session.notice,
        )
        self._spenders.append(caller)
        return caller

    async def _rate_all(self, caller: Caller) -> None:
        places = self._samples(self.pending.places.tolist())
        # More than the requests at a time: some wait for their next try.
        number = min(len(self.pending.places), 2 * self.terms.concurrency + 8)
        workers = [asyncio.create_task(self._work(places, caller.ask)) for _ in range(number)]
        flushing = asyncio.create_task(self._flush_often())
        try:
            await asyncio.gather(*workers)
        finally:
            for task in (*workers, flushing):
                task.cancel()
            await asyncio.gather(*workers, flushing, return_exceptions=True)
            self._flush()

    async def _rate_in_batches(self, batches: Batches) -> None:
        """Rate what can be rated, hand over what cannot, and again when replies have come."""
        todo = self.pending.places.tolist()
        while todo:
            todo = await self._pass(todo, batches)
            if self.budget.reached is None:
                await batches.hand_over()
            self._flush()
            if not todo or not self.terms.wait or (self.budget.reached and not batches.open):
                break
            while not await batches.collect():
                await asyncio.sleep(self.terms.poll_seconds)
                if not batches.open:
                    break
        self.waiting = len(todo)

    async def _pass(self, places: Sequence[int], batches: Batches) -> list[int]:
        """Rate the places whose replies are there; return the others."""
        left: list[int] = []
        found = zip(places, self._samples(places), strict=True)
        while group := list(islice(found, _PAGE)):
            given = await asyncio.gather(
                *(
                    rate_one(self.scorer, self.label, sample, batches.ask)
                    for _, (_, sample) in group
                ),
                return_exceptions=True,
            )
            for (place, (content, _)), answer in zip(group, given, strict=True):
                if isinstance(answer, (PendingError, BudgetError)):
                    left.append(place)
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    self._rows.append(as_row(content, answer))
            self._flush()
        return left

    def _samples(self, places: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        """Yield (content id, sample) of each place, read from the store by the page."""
        ids = self.plan.sample_ids
        for start in range(0, len(places), _PAGE):
            page = [int(ids[place]) for place in places[start : start + _PAGE]]
            with self.session.store.reading() as connection:
                rows = samples.by_id(connection, page)
            for row in rows:
                yield row.content_id, sample_of(row)

    async def _work(self, places: Iterator[tuple[int, Sample]], ask: Ask) -> None:
        for content, sample in places:
            try:
                answer = await rate_one(self.scorer, self.label, sample, ask)
            except BudgetError:
                return
            except PendingError:
                self.waiting += 1
                continue
            self._rows.append(as_row(content, answer))

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            with suppress(DatabaseBusyError):  # the next one will do
                self._flush()

    def _flush(self) -> None:
        """Commit scores; were they lost, the ledger would give them again for nothing."""
        rows, self._rows = self._rows, []
        if rows:
            try:
                with self.session.store.writing() as connection:
                    scores.put(connection, self.pending.component_id, self.session.run_id, rows)
            except StorageError:
                self._rows = rows + self._rows
                raise
        failed = sum(row[2] is not None for row in rows)
        self.done += len(rows)
        self.cost = sum(spender.cost for spender in self._spenders)
        news, self._told_cost = self.cost - self._told_cost, self.cost
        if rows:
            self.session.emit(BatchScored(self.label, len(rows), failed))
        if rows or news:
            self.session.emit(StageAdvanced(self.label, len(rows), failed, news))


async def rate_one(scorer: AsyncScorer, label: str, sample: Sample, ask: Ask) -> Score | Failure:
    """Rate one sample; what concerns it alone becomes its Failure.

    Raises:
        PendingError, BudgetError, ServiceError: it was not asked, or not yet answered.
        Ig4Error: the scorer itself cannot work.
    """
    if scorer.needs_answer and not sample.answer.strip():
        return Failure(EMPTY_ANSWER)
    try:
        return await scorer.rate(sample, ask)
    except (PendingError, BudgetError, ServiceError):
        raise
    except (CallError, ImageError) as error:
        return Failure(str(error))
    except Ig4Error:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin's; this sample fails, no other
        return Failure(f"{label} failed: {type(error).__name__}: {error}")
