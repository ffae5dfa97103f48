"""Asks services about many units at once, for scorers and judges; every reply is committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ig4.core.calls.batching.collector import BatchCollector
from ig4.core.calls.batching.queue import BatchQueue
from ig4.core.calls.budget import Budget
from ig4.core.calls.caller import Caller
from ig4.core.calls.ledger import Ledger
from ig4.core.calls.limits import Limits
from ig4.core.calls.loop import run
from ig4.core.calls.prices import Pricing
from ig4.core.calls.running.answerbuffer import AnswerBuffer
from ig4.core.calls.running.modes import Unanswered, ask_in_batches, ask_one_by_one
from ig4.core.counts import counted, verb
from ig4.core.events import StageFinished, StageStarted
from ig4.core.host.watch import open_named
from ig4.storage import batches

if TYPE_CHECKING:
    from ig4.core.calls.provider import Provider
    from ig4.core.calls.running.task import CallTask
    from ig4.core.calls.settings import CallSettings
    from ig4.core.engine.session import Session

U = TypeVar("U")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class CallsResult:
    """The result of asking services.

    `stopped` says why it ended early, if it did. By component: `done` counts the units (samples,
    verdicts) answered now, `cost` is in US dollars, `waiting` counts the units whose requests
    lie in batches, or are to go into one, and `lost` those whose requests lie in lost batches.
    """

    stopped: str | None
    calls: int
    done: Mapping[str, int]
    cost: Mapping[str, float]
    waiting: Mapping[str, int]
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def goes_on(self) -> bool:
        """Whether the same command continues: what lies in lost batches is never sent unasked."""
        return self.stopped is not None or bool(self.waiting)

    def why_open(self, noun: str) -> str | None:
        """Return in one sentence why units (a noun) are not answered; None if all are."""
        waiting, lost = sum(self.waiting.values()), sum(self.lost.values())
        reasons = [self.stopped] if self.stopped else []
        if waiting and not reasons:
            reasons.append(f"{counted(waiting, noun)} {verb(waiting, 'waits', 'wait')} for batches")
        if lost:
            reasons.append(
                f"{counted(lost, noun)} {verb(lost, 'lies', 'lie')} in lost batches, may have been "
                f"paid for, and {verb(lost, 'is', 'are')} sent again only by `ig4 batch resend "
                "NUMBER` (`ig4 batch list` has the numbers)"
            )
        return "; ".join(reasons) or None


def run_call_tasks(
    session: Session,
    tasks: Sequence[CallTask[Any, Any]],
    call_settings: CallSettings,
    *,
    renew: bool = False,
) -> CallsResult:
    """Ask about all units of all tasks, several services side by side.

    With `renew`, replies that could not be read are asked for again.

    Raises:
        ServiceError: a key, permission or credit is missing; what was committed stays.
        PrerequisiteError: there is no key.
    """
    return run(_run_all(session, tasks, call_settings, renew=renew))


async def _run_all(
    session: Session,
    tasks: Sequence[CallTask[Any, Any]],
    call_settings: CallSettings,
    *,
    renew: bool,
) -> CallsResult:
    budget = Budget(call_settings.max_cost, call_settings.max_calls)
    runners = [
        CallRunner(session, task, call_settings, budget, renew=renew)
        for task in tasks
        if task.places
    ]
    _share_siblings(session, runners)
    # An error of one service ends the others too, after they have committed what they have.
    running = [asyncio.create_task(runner.run()) for runner in runners]
    try:
        await asyncio.gather(*running)
    except BaseException:
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        raise
    return CallsResult(
        budget.reached,
        budget.calls,
        {runner.task.label: runner.buffer.done for runner in runners},
        {runner.task.label: runner.buffer.cost for runner in runners},
        {r.task.label: r.unanswered.waiting for r in runners if r.unanswered.waiting},
        {r.task.label: r.unanswered.lost for r in runners if r.unanswered.lost},
    )


def _share_siblings(session: Session, runners: Sequence[CallRunner[Any, Any]]) -> None:
    """Let each batch that was made with other options be collected by one of the runners.

    Its replies serve at other limits of tokens, too, and after the component's version changed.
    """
    taken = {runner.task.component_id for runner in runners}
    with session.store.reading() as connection:
        for runner in runners:
            found = batches.siblings_at_work(connection, runner.task.component_id)
            runner.siblings = [one for one in found if one not in taken]
            taken.update(runner.siblings)


class CallRunner(Generic[U, R]):
    """Runs the task of one component: opens its service, asks, and closes it again."""

    def __init__(
        self,
        session: Session,
        task: CallTask[U, R],
        call_settings: CallSettings,
        budget: Budget,
        *,
        renew: bool,
    ) -> None:
        self.session = session
        self.task = task
        self.call_settings = call_settings
        self.budget = budget
        self.renew = renew
        self.buffer = AnswerBuffer(session, task)
        self.siblings: Sequence[int] = ()
        """Components whose batches it collects, beside its own."""
        self.unanswered = Unanswered()

    async def run(self) -> None:
        """Ask about all units; ends early when the budget is reached."""
        session, task = self.session, self.task
        provider = task.component.provider()
        provider.notice = session.notice
        ledger = Ledger(
            session.store, provider.name, task.component_id, session.run_id, renew=self.renew
        )
        pricing = Pricing(
            self.call_settings.prices,
            provider.prices,
            limited=self.budget.max_cost is not None,
            notice=session.notice,
        )
        began = time.perf_counter()
        open_named(task.component, task.label)
        await provider.open()
        task.begin()
        session.emit(StageStarted(task.label, len(task.places), task.unit))
        try:
            async with ledger.opened():
                await self._ask(provider, ledger, pricing)
        finally:
            await provider.close()
            task.component.close()
        seconds = time.perf_counter() - began
        session.speeds[task.fingerprint] = [float(self.buffer.done), seconds]
        session.emit(StageFinished(task.label, self._summary()))

    async def _ask(self, provider: Provider, ledger: Ledger, pricing: Pricing) -> None:
        task, buffer, settings = self.task, self.buffer, self.call_settings
        collector = BatchCollector(
            provider,
            ledger,
            self.budget,
            pricing,
            self.session.notice,
            waits=settings.batch and settings.wait,
            poll_seconds=settings.poll_seconds,
        )
        collector.siblings = self.siblings
        buffer.counters.append(collector)
        await collector.collect()
        if settings.batch:
            self.unanswered = await ask_in_batches(task, BatchQueue(collector), buffer, settings)
        else:
            caller = self._caller(provider, ledger, pricing)
            buffer.counters.append(caller)
            try:
                self.unanswered = await ask_one_by_one(task, caller.ask, buffer, settings)
            finally:
                await caller.land()
        buffer.commit()

    def _caller(self, provider: Provider, ledger: Ledger, pricing: Pricing) -> Caller:
        settings = self.call_settings
        limits = Limits(
            settings.concurrency, settings.requests_per_minute, settings.tokens_per_minute
        )
        return Caller(
            provider,
            ledger,
            limits,
            self.budget,
            pricing,
            attempts=settings.attempts,
            notice=self.session.notice,
        )

    def _summary(self) -> str:
        parts = [f"${self.buffer.cost:.4f}"] if self.buffer.cost else []
        parts += ["stopped at its limit"] if self.budget.reached else []
        return ", ".join(parts)
