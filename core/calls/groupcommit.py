"""Does what is asked for at about the same time in one go: many commits become one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class GroupCommit(Generic[T, R]):
    """An async function of one item over a function of many, which runs in a thread.

    While one group is at work, the next gathers. `linger` is how many seconds the first of a
    group waits for others; without, none waits.
    """

    def __init__(
        self, do: Callable[[Sequence[T]], Sequence[R]], thread: Executor, linger: float = 0.0
    ) -> None:
        self._do = do
        self._thread = thread
        self._linger = linger
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, item: T) -> R:
        """Return what the function gives for an item, or raise what it raises for its group."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        # Whoever asked may go away; what was asked for is done nevertheless.
        return await asyncio.shield(future)

    async def drain(self) -> None:
        """Wait until all that was asked for is done."""
        while self._working is not None:
            await asyncio.shield(self._working)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                if self._linger:
                    await asyncio.sleep(self._linger)
                group, self._waiting = self._waiting, []
                try:
                    given = await loop.run_in_executor(
                        self._thread, self._do, [item for item, _ in group]
                    )
                except Exception as error:  # noqa: BLE001 - handed to each who asked
                    for _, future in group:
                        if not future.done():
                            future.set_exception(error)
                            future.exception()  # nobody may be left to look at it
                    continue
                for (_, future), one in zip(group, given, strict=True):
                    if not future.done():
                        future.set_result(one)
        finally:
            self._working = None
