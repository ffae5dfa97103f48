"""Answers are committed beside the requests, and none is lost or counted twice."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from ig4.core.calls.running.answerbuffer import AnswerBuffer
from ig4.storage.errors import StorageError


class SlowStore:
    """A task whose store answers only when it is let, or fails."""

    label = "slow"

    def __init__(self, error=None):
        self.free = threading.Event()
        self.error = error
        self.written = []

    def commit(self, answers):
        self.free.wait(10)
        if self.error is not None:
            raise self.error
        self.written += answers
        return sum(answer is None for _, answer in answers)


def test_a_store_that_is_out_of_reach_does_not_hold_up_the_requests(session):
    async def work():
        task = SlowStore()
        buffer = AnswerBuffer(session, task)
        buffer.add(1, "one")
        commits = asyncio.create_task(buffer.commit_aside())
        began = time.monotonic()
        await asyncio.sleep(0.05)
        assert time.monotonic() - began < 5
        buffer.add(2, None)
        task.free.set()
        await commits
        assert (task.written, buffer.done) == ([(1, "one")], 1)
        buffer.commit()
        assert (task.written, buffer.done) == ([(1, "one"), (2, None)], 2)

    asyncio.run(work())


def test_what_is_being_written_is_counted_though_the_run_ends(session):
    async def work():
        task = SlowStore()
        buffer = AnswerBuffer(session, task)
        buffer.add(1, "one")
        commits = asyncio.create_task(buffer.commit_aside())
        await asyncio.sleep(0.05)
        commits.cancel()
        await asyncio.sleep(0.05)
        task.free.set()
        with pytest.raises(asyncio.CancelledError):
            await commits
        buffer.commit()
        assert (task.written, buffer.done) == ([(1, "one")], 1)

    asyncio.run(work())


def test_what_could_not_be_written_is_kept_for_the_next_time(session):
    async def work():
        task = SlowStore(StorageError("the disk is full"))
        task.free.set()
        buffer = AnswerBuffer(session, task)
        buffer.add(1, "one")
        with pytest.raises(StorageError):
            await buffer.commit_aside()
        task.error = None
        buffer.commit()
        assert (task.written, buffer.done) == ([(1, "one")], 1)

    asyncio.run(work())
