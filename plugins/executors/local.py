"""Runs batches in this process, and reads the next batch's images ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ig4.core.contracts import Executor, Run, Work

T = TypeVar("T")
R = TypeVar("R")


class Local(Executor):
    """One batch at a time, in the calling thread."""

    @contextmanager
    def start(self, work: Work[T, R]) -> Iterator[Run[T, R]]:
        """Open the work here; see Executor.start."""

        def run(tasks: Iterable[T]) -> Iterator[R]:
            waiting: list[T] = []
            for task in tasks:
                work.prefetch(task)
                waiting.append(task)
                if len(waiting) > 1:
                    yield work(waiting.pop(0))
            for task in waiting:
                yield work(task)

        work.open()
        try:
            yield run
        finally:
            work.close()
