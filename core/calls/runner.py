"""Asks services about many things at once, scorers and judges alike; each reply is committed."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ig4.core.calls.batchqueue import Batches
from ig4.core.calls.budget import Budget
from ig4.core.calls.caller import Caller
from ig4.core.calls.ledger import Ledger
from ig4.core.calls.limits import Limits
from ig4.core.calls.loop import run
from ig4.core.calls.prices import Pricing
from ig4.core.calls.request import BudgetError, CallError, PendingError, ServiceError
from ig4.core.errors import Ig4Error
from ig4.core.events import BatchScored, StageAdvanced, StageFinished, StageStarted
from ig4.core.files.images import ImageError
from ig4.core.records import Failure
from ig4.storage.errors import DatabaseBusyError, StorageError

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.calls.settings import CallSettings
    from ig4.core.contracts import Ask, AsyncJudge, AsyncScorer
    from ig4.core.engine.session import Session

U = TypeVar("U")
R = TypeVar("R")

PAGE = 500
"""How many units are read from where they lie at a time."""

_FLUSH_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class CallsResult:
    """What came of asking services.

    `stopped` says why it ended early, if it did. By component: `done` counts the units (samples,
    verdicts) answered now, `cost` is in US dollars, and `waiting` counts the units whose requests
    lie in batches.
    """

    stopped: str | None
    calls: int
    done: Mapping[str, int]
    cost: Mapping[str, float]
    waiting: Mapping[str, int]


class CallTask(ABC, Generic[U, R]):
    """What one component has to ask its service: units by place, and where their answers go."""

    unit: ClassVar[str] = "samples"
    """What `places` counts, as the progress bar calls it."""

    label: str
    component: AsyncScorer | AsyncJudge
    component_id: int
    fingerprint: str
    places: Sequence[int]
    """What is to be answered, in order."""

    def begin(self) -> None:
        """Note in the store that the component is at work; called once it can be."""

    @abstractmethod
    def units(self, places: Sequence[int]) -> Iterator[tuple[int, U]]:
        """Yield (key, unit) for each place, in order; `commit` gets the key back."""

    @abstractmethod
    async def answer(self, unit: U, ask: Ask) -> R:
        """Answer one unit; what concerns it alone is part of the answer, not raised.

        Raises:
            PendingError, BudgetError, ServiceError: it was not asked, or not yet answered.
            Ig4Error: the component itself cannot work.
        """

    @abstractmethod
    def commit(self, answers: Sequence[tuple[int, R]]) -> int:
        """Write (key, answer) to the store in one transaction; returns how many are failures."""


def run_call_tasks(
    session: Session,
    askings: Sequence[CallTask[Any, Any]],
    call_settings: CallSettings,
    *,
    renew: bool = False,
) -> CallsResult:
    """Ask all that is to be asked, several services side by side.

    With `renew`, replies that could not be read are asked for again.

    Raises:
        ServiceError: a key, permission or credit is missing; what was committed stays.
        PrerequisiteError: there is no key.
    """
    return run(_ask_all(session, askings, call_settings, renew=renew))


async def _ask_all(
    session: Session,
    askings: Sequence[CallTask[Any, Any]],
    call_settings: CallSettings,
    *,
    renew: bool,
) -> CallsResult:
    budget = Budget(call_settings.max_cost, call_settings.max_calls)
    stages = [
        CallRunner(session, asking, call_settings, budget, renew=renew)
        for asking in askings
        if asking.places
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
    return CallsResult(
        budget.reached,
        budget.calls,
        {stage.asking.label: stage.done for stage in stages},
        {stage.asking.label: stage.cost for stage in stages},
        {stage.asking.label: stage.waiting for stage in stages if stage.waiting},
    )


class CallRunner(Generic[U, R]):
    """One component at work on the units that it has yet to ask about."""

    def __init__(
        self,
        session: Session,
        asking: CallTask[U, R],
        call_settings: CallSettings,
        budget: Budget,
        *,
        renew: bool,
    ) -> None:
        self.session = session
        self.asking = asking
        self.call_settings = call_settings
        self.budget = budget
        self.renew = renew
        self.done = 0
        self.waiting = 0
        self.cost = 0.0
        self._answers: list[tuple[int, R]] = []
        self._told_cost = 0.0
        self._spenders: list[Caller | Batches] = []

    async def run(self) -> None:
        """Ask all; ends early when the budget is reached."""
        provider = self.asking.component.provider()
        ledger = Ledger(
            self.session.store,
            provider.name,
            self.asking.component_id,
            self.session.run_id,
            renew=self.renew,
        )
        pricing = Pricing(
            self.call_settings.prices,
            provider.prices,
            limited=self.budget.max_cost is not None,
            notice=self.session.notice,
        )
        began = time.perf_counter()
        self.asking.component.open()
        await provider.open()
        self.asking.begin()
        self.session.emit(
            StageStarted(self.asking.label, len(self.asking.places), self.asking.unit)
        )
        try:
            async with ledger.opened():
                batches = Batches(provider, ledger, self.budget, pricing, self.session.notice)
                self._spenders.append(batches)
                await batches.collect()
                if self.call_settings.batch:
                    await self._ask_in_batches(batches)
                else:
                    await self._ask_each(self._caller(provider, ledger, pricing))
                self._flush()
        finally:
            await provider.close()
            self.asking.component.close()
        self.session.speeds[self.asking.fingerprint] = [
            float(self.done), time.perf_counter() - began
        ]  # fmt: skip
        told = [f"${self.cost:.4f}"] if self.cost else []
        told += ["stopped at its limit"] if self.budget.reached else []
        self.session.emit(StageFinished(self.asking.label, ", ".join(told)))

    def _caller(self, provider: Provider, ledger: Ledger, pricing: Pricing) -> Caller:
        call_settings = self.call_settings
        limits = Limits(
            call_settings.concurrency,
            call_settings.requests_per_minute,
            call_settings.tokens_per_minute,
        )
        caller = Caller(
            provider,
            ledger,
            limits,
            self.budget,
            pricing,
            attempts=call_settings.attempts,
            notice=self.session.notice,
        )
        self._spenders.append(caller)
        return caller

    async def _ask_each(self, caller: Caller) -> None:
        places = self.asking.units(list(self.asking.places))
        # More than the requests at a time: some wait for their next try.
        number = min(len(self.asking.places), 2 * self.call_settings.concurrency + 8)
        workers = [asyncio.create_task(self._work(places, caller.ask)) for _ in range(number)]
        flushing = asyncio.create_task(self._flush_often())
        try:
            await asyncio.gather(*workers)
        finally:
            for task in (*workers, flushing):
                task.cancel()
            await asyncio.gather(*workers, flushing, return_exceptions=True)
            self._flush()

    async def _ask_in_batches(self, batches: Batches) -> None:
        """Answer what can be answered, hand over what cannot, and again when replies have come."""
        todo = list(self.asking.places)
        while todo:
            todo = await self._pass(todo, batches)
            if self.budget.reached is None:
                await batches.hand_over()
            self._flush()
            if (
                not todo
                or not self.call_settings.wait
                or (self.budget.reached and not batches.open)
            ):
                break
            while not await batches.collect():
                await asyncio.sleep(self.call_settings.poll_seconds)
                if not batches.open:
                    break
        self.waiting = len(todo)

    async def _pass(self, places: Sequence[int], batches: Batches) -> list[int]:
        """Answer the places whose replies are there; return the others."""
        left: list[int] = []
        found = zip(places, self.asking.units(places), strict=True)
        while group := list(islice(found, PAGE)):
            given = await asyncio.gather(
                *(self.asking.answer(unit, batches.ask) for _, (_, unit) in group),
                return_exceptions=True,
            )
            for (place, (key, _)), answer in zip(group, given, strict=True):
                if isinstance(answer, (PendingError, BudgetError)):
                    left.append(place)
                elif isinstance(answer, BaseException):
                    raise answer
                else:
                    self._answers.append((key, answer))
            self._flush()
        return left

    async def _work(self, units: Iterator[tuple[int, U]], ask: Ask) -> None:
        for key, unit in units:
            try:
                answer = await self.asking.answer(unit, ask)
            except BudgetError:
                return
            except PendingError:
                self.waiting += 1
                continue
            self._answers.append((key, answer))

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            with suppress(DatabaseBusyError):  # the next one will do
                self._flush()

    def _flush(self) -> None:
        """Commit answers; were they lost, the ledger would give them again for nothing."""
        answers, self._answers = self._answers, []
        try:
            failed = self.asking.commit(answers) if answers else 0
        except StorageError:
            self._answers = answers + self._answers
            raise
        label, count = self.asking.label, len(answers)
        self.done += count
        self.cost = sum(spender.cost for spender in self._spenders)
        news, self._told_cost = self.cost - self._told_cost, self.cost
        if count:
            self.session.emit(BatchScored(label, count, failed))
        if count or news:
            self.session.emit(StageAdvanced(label, count, failed, news))


async def answer_or_failure(
    label: str, answer: Callable[[U, Ask], Awaitable[R | Failure]], unit: U, ask: Ask
) -> R | Failure:
    """Return what a component answers; what concerns this unit alone becomes its Failure.

    Raises:
        PendingError, BudgetError, ServiceError: it was not asked, or not yet answered.
        Ig4Error: the component itself cannot work.
    """
    try:
        return await answer(unit, ask)
    except (PendingError, BudgetError, ServiceError):
        raise
    except (CallError, ImageError) as error:
        return Failure(str(error))
    except Ig4Error:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin's; this unit fails, no other
        return Failure(f"{label} failed: {type(error).__name__}: {error}")
