"""Group commit: items that arrive at about the same time share one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """An async function of one item, made of a function of many that runs in a thread.

    While one group is at work, the next one gathers. `linger` is how many seconds the first item
    of a group waits for others; by default it does not wait.
    """

    def __init__(
        self, function: Callable[[Sequence[T]], Sequence[R]], thread: Executor, linger: float = 0.0
    ) -> None:
        self._function = function
        self._thread = thread
        self._linger = linger
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Return the function's result for an item, or raise what it raised for its group."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        # The caller may be cancelled; the item is worked on nevertheless.
        return await asyncio.shield(future)

    async def drain(self) -> None:
        """Wait until all items are done."""
        while self._task is not None:
            await asyncio.shield(self._task)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if self._linger:
                    await asyncio.sleep(self._linger)
                group, self._waiting = self._waiting, []
                try:
                    results = await loop.run_in_executor(
                        self._thread, self._function, [item for item, _ in group]
                    )
                except Exception as error:  # noqa: BLE001 - handed to every caller
                    for _, future in group:
                        if not future.done():
                            future.set_exception(error)
                            future.exception()  # no caller may be left to look at it
                    continue
                for (_, future), result in zip(group, results, strict=True):
                    if not future.done():
                        future.set_result(result)
        finally:
            self._task = None
