"""Runs async work from code that is not, also where a loop runs already, as in a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
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
        return thread.submit(asyncio.run, work).result()
