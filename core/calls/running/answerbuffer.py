"""Collects the answers of a task, and commits them to the store every half second."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from ig4.core.events import BatchScored, StageAdvanced
from ig4.storage.errors import DatabaseBusyError, StorageError

if TYPE_CHECKING:
    from ig4.core.calls.running.task import CallTask
    from ig4.core.engine.session import Session

U = TypeVar("U")
R = TypeVar("R")

_COMMIT_SECONDS = 0.5


class CostCounter(Protocol):
    """Anything that counts what it has paid, in US dollars."""

    cost: float


class AnswerBuffer(Generic[U, R]):
    """The answers of one task that are not committed yet; `done` counts those that are.

    `cost` is what the `counters` had paid at the last commit, in US dollars.
    """

    def __init__(self, session: Session, task: CallTask[U, R]) -> None:
        self.session = session
        self.task = task
        self.counters: list[CostCounter] = []
        self.done = 0
        self.cost = 0.0
        self._answers: list[tuple[int, R]] = []

    def add(self, key: int, answer: R) -> None:
        """Keep an answer for the next commit."""
        self._answers.append((key, answer))

    def commit(self) -> None:
        """Commit all answers; if they were lost, the ledger would give them again at no cost."""
        answers, self._answers = self._answers, []
        try:
            failed = self.task.commit(answers) if answers else 0
        except StorageError:
            self._answers = answers + self._answers
            raise
        self._tell(len(answers), failed)

    async def commit_aside(self) -> None:
        """Do the same in a thread: a server that is gone for a while holds up no request."""
        answers, self._answers = self._answers, []
        if not answers:
            self._tell(0, 0)
            return
        writing = asyncio.ensure_future(asyncio.to_thread(self.task.commit, answers))
        cancelled = await _wait_for(writing)
        try:
            failed = writing.result()
        except StorageError:
            self._answers = answers + self._answers
            raise
        self._tell(len(answers), failed)
        if cancelled:
            raise asyncio.CancelledError

    def _tell(self, count: int, failed: int) -> None:
        """Count what is committed, and what it has cost."""
        label = self.task.label
        self.done += count
        before, self.cost = self.cost, sum(counter.cost for counter in self.counters)
        paid = self.cost - before
        if count:
            self.session.emit(BatchScored(label, count, failed))
        if count or paid:
            self.session.emit(StageAdvanced(label, count, failed, paid))

    async def commit_regularly(self) -> None:
        """Commit every half second, until cancelled."""
        while True:
            await asyncio.sleep(_COMMIT_SECONDS)
            with suppress(DatabaseBusyError):  # the next one will do
                await self.commit_aside()


async def _wait_for(writing: asyncio.Future[int]) -> bool:
    """Wait for what goes on in a thread to its end; returns whether this was cancelled meanwhile.

    What is being written is to be counted all the same.
    """
    cancelled = False
    while not writing.done():
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
