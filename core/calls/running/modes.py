"""The two ways to ask about the units of a task: one by one, or in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.request import BudgetError, LostError, PendingError
from ig4.core.calls.running.streaks import FailureStreak
from ig4.core.calls.running.task import PAGE
from ig4.core.records import Failure

if TYPE_CHECKING:
    from ig4.core.calls.batching.queue import BatchQueue
    from ig4.core.calls.running.answerbuffer import AnswerBuffer
    from ig4.core.calls.running.task import CallTask
    from ig4.core.calls.settings import CallSettings
    from ig4.core.contracts import Ask

U = TypeVar("U")
R = TypeVar("R")


@dataclass(slots=True)
class Unanswered:
    """How many units have requests that wait for batches, or lie in lost ones."""

    waiting: int = 0
    lost: int = 0

    def add(self, error: PendingError) -> None:
        """Count a unit that was not answered."""
        if isinstance(error, LostError):
            self.lost += 1
        else:
            self.waiting += 1


async def ask_one_by_one(
    task: CallTask[U, R], ask: Ask, buffer: AnswerBuffer[U, R], settings: CallSettings
) -> Unanswered:
    """Answer all units, each with requests of its own and many at once.

    Ends early when the budget is reached. Returns how many units have a request in a batch.
    """
    unanswered = Unanswered()
    units = task.units(task.places)
    # More workers than requests at a time: some wait for their next try.
    number = min(len(task.places), 2 * settings.concurrency + 8)
    streak = FailureStreak(task.label, settings.stop_after)
    workers = [
        asyncio.create_task(_work(task, units, ask, buffer, streak, unanswered))
        for _ in range(number)
    ]
    commits = asyncio.create_task(buffer.commit_regularly())
    try:
        await asyncio.gather(*workers)
        return unanswered
    finally:
        for one in (*workers, commits):
            one.cancel()
        await asyncio.gather(*workers, commits, return_exceptions=True)
        buffer.commit()


async def _work(
    task: CallTask[U, R],
    units: Iterator[tuple[int, U]],
    ask: Ask,
    buffer: AnswerBuffer[U, R],
    streak: FailureStreak,
    unanswered: Unanswered,
) -> None:
    """Answer one unit after another; count those that have a request in a batch.

    Raises:
        FailingError: all that was answered last failed.
    """
    for key, unit in units:
        try:
            answer = await task.answer(unit, ask)
        except BudgetError:
            break
        except PendingError as error:
            unanswered.add(error)
            continue
        buffer.add(key, answer)
        if task.is_asked(unit):
            streak.add([answer.reason if isinstance(answer, Failure) else None])
        if streak.is_over:
            raise streak.error()


async def ask_in_batches(
    task: CallTask[U, R], queue: BatchQueue, buffer: AnswerBuffer[U, R], settings: CallSettings
) -> Unanswered:
    """Answer from the ledger, hand over what is missing, and again when replies have come.

    Returns how many units are not answered yet.
    """
    budget, collector = queue.budget, queue.collector
    todo: Sequence[int] = task.places
    lost = 0
    while todo:
        todo, fresh = await _answer_known(task, todo, queue, buffer)
        lost += fresh
        if budget.reached is None:
            await queue.hand_over()
        buffer.commit()
        stopped = budget.reached and not collector.open
        if not todo or not settings.wait or stopped:
            break
        while not await collector.collect():
            await asyncio.sleep(settings.poll_seconds * queue.size.pause)
            if not collector.open:
                break
    return Unanswered(len(todo), lost)


async def _answer_known(
    task: CallTask[U, R], places: Sequence[int], queue: BatchQueue, buffer: AnswerBuffer[U, R]
) -> tuple[list[int], int]:
    """Answer the units whose replies are in the ledger.

    Returns the places of the others, and the number of those whose replies are lost.
    """
    unanswered: list[int] = []
    lost = 0
    units = zip(places, task.units(places), strict=True)
    while page := list(islice(units, PAGE)):
        answers = await asyncio.gather(
            *(task.answer(unit, queue.ask) for _, (_, unit) in page),
            return_exceptions=True,
        )
        for (place, (key, _)), answer in zip(page, answers, strict=True):
            if isinstance(answer, LostError):
                lost += 1
            elif isinstance(answer, (PendingError, BudgetError)):
                unanswered.append(place)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                buffer.add(key, answer)
        buffer.commit()
    return unanswered, lost
