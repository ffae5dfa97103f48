"""Async work runs to its end from anywhere, and ends when whoever wants it is interrupted."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time

import pytest

from ig4.core.calls.loop import run


async def three():
    await asyncio.sleep(0)
    return 3


def test_it_runs_with_and_without_a_loop():
    async def cell():
        return run(three())

    assert run(three()) == asyncio.run(cell()) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="it sends a signal to itself")
def test_a_cell_that_is_interrupted_stops_the_work():
    ended = []

    async def long():
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(time.perf_counter())

    async def cell():
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        run(long())

    loop = asyncio.new_event_loop()
    began = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(cell())
    finally:
        loop.close()
    assert ended[0] - began < 10
