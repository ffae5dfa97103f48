"""Runs a coroutine from synchronous code, even where a loop runs already, as in a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    # A notebook's own loop is busy with the cell that called us: this one gets a thread.
    with ThreadPoolExecutor(1, thread_name_prefix="ig4-loop") as thread:
        start: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()

        async def run_task() -> T:
            task = asyncio.ensure_future(coroutine)
            start.set_result((asyncio.get_running_loop(), task))
            return await task

        result = thread.submit(asyncio.run, run_task())
        try:
            return result.result()
        except BaseException:
            # An interrupted cell must not go on sending requests, and paying, in its thread.
            loop, task = start.result()
            if not result.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
