"""What is asked for at about the same time is done in one go."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ig4.core.calls.groupcommit import GroupCommit


@pytest.fixture
def thread():
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_what_comes_while_a_group_is_at_work_makes_the_next(thread):
    groups = []

    def double(items):
        groups.append(list(items))
        time.sleep(0.02)
        return [2 * item for item in items]

    async def ask():
        grouped = GroupCommit(double, thread)
        return await asyncio.gather(*(grouped(n) for n in range(10)))

    assert asyncio.run(ask()) == [2 * n for n in range(10)]
    assert [item for group in groups for item in group] == list(range(10))
    assert len(groups) <= 2


def test_an_error_reaches_all_of_its_group_and_nobody_else(thread):
    def invert(items):
        return [1 / item for item in items]

    async def ask():
        grouped = GroupCommit(invert, thread)
        bad = await asyncio.gather(grouped(0), grouped(2), return_exceptions=True)
        return bad, await grouped(4)

    bad, good = asyncio.run(ask())
    assert all(isinstance(error, ZeroDivisionError) for error in bad)
    assert good == 0.25


def test_what_was_asked_for_is_done_even_if_the_asker_is_gone(thread):
    go, done = threading.Event(), []

    def keep(items):
        go.wait(5)
        done.extend(items)
        return items

    async def ask():
        grouped = GroupCommit(keep, thread)
        asking = [asyncio.create_task(grouped(n)) for n in range(3)]
        await asyncio.sleep(0.01)
        for task in asking:
            task.cancel()
        go.set()
        await grouped.drain()

    asyncio.run(ask())
    assert done == [0, 1, 2]
