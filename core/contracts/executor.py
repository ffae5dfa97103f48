"""An executor says where batches run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Generic, TypeAlias, TypeVar

from ig4.core.contracts.root import Configurable

T = TypeVar("T")
R = TypeVar("R")


class Work(ABC, Generic[T, R]):
    """A piece of work an executor can carry to where it runs: picklable until `open`."""

    def open(self) -> None:
        """Load what the calls need, in the process that makes them."""

    def prefetch(self, task: T) -> None:
        """Start reading for a task that will be called soon."""

    @abstractmethod
    def __call__(self, task: T) -> R:
        """Do one task."""

    def close(self) -> None:
        """Free what `open` took."""


Run: TypeAlias = Callable[[Iterable[T]], Iterator[R]]
"""Does tasks and yields their results in order."""


class Executor(Configurable):
    """Says where batches run."""

    @abstractmethod
    def start(self, work: Work[T, R]) -> AbstractContextManager[Run[T, R]]:
        """Open the work where it will run, and close it at the end of the `with` block.

        The value is a function from tasks to their results, in the order of the tasks; it may
        be called more than once. It takes tasks a few ahead of the results, never all at once.
        """
