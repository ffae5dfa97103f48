"""Runs async work from code that is not, also where a loop runs already, as in a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    # A notebook's own loop is busy with the cell that called us: this one gets a thread.
    with ThreadPoolExecutor(1, thread_name_prefix="ig4-loop") as thread:
        running: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = Future()

        async def told() -> T:
            task = asyncio.ensure_future(work)
            running.set_result((asyncio.get_running_loop(), task))
            return await task

        result = thread.submit(asyncio.run, told())
        try:
            return result.result()
        except BaseException:
            # A cell that is interrupted must not go on asking, and paying, in its thread.
            loop, task = running.result()
            if not result.done():
                loop.call_soon_threadsafe(task.cancel)
            raise
