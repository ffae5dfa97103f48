"""The tasks of a run on several actors: what is to be given next, and whose result comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class TaskQueue(Generic[T]):
    """Numbers tasks as they are taken; at most `ahead` are taken whose results did not come out.

    A task whose actor died is tried once more alone (`try_alone`): the fault may be that of another
    task of the same actor.
    """

    def __init__(self, tasks: Iterable[T], ahead: int) -> None:
        self.ahead = ahead
        self.first = 0
        """The number of the task whose result comes out next."""
        self._source = iter(tasks)
        self._taken = 0
        self._exhausted = False
        self._tasks: dict[int, T] = {}
        self._waiting: deque[int] = deque()
        self._suspect: int | None = None
        self._alone: set[int] = set()

    @property
    def is_done(self) -> bool:
        """Whether the results of all tasks came out."""
        return self._exhausted and self.first == self._taken

    @property
    def may_give(self) -> bool:
        """Whether there is, or may be, a task that could be given."""
        return self._suspect is not None or bool(self._waiting) or self._may_take

    @property
    def _may_take(self) -> bool:
        return not self._exhausted and self._taken - self.first < self.ahead

    def give(self, *, idle: bool) -> tuple[int, T, bool] | None:
        """Return a task for an actor, with its number and whether it must stay alone there.

        None where there is none, or where the next one must be alone and the actor is not `idle`.
        """
        if self._suspect is not None:
            if not idle:
                return None
            number, self._suspect = self._suspect, None
            return number, self._tasks[number], True
        if not self._waiting and self._may_take:
            self._take()
        if not self._waiting or (self._waiting[0] in self._alone and not idle):
            return None
        number = self._waiting.popleft()
        return number, self._tasks[number], number in self._alone

    def _take(self) -> None:
        try:
            self._tasks[self._taken] = next(self._source)
        except StopIteration:
            self._exhausted = True
        else:
            self._waiting.append(self._taken)
            self._taken += 1

    def give_again(self, numbers: Iterable[int]) -> None:
        """Let other actors do tasks that were given, before all others."""
        self._waiting.extendleft(sorted(numbers, reverse=True))

    def try_alone(self, number: int) -> bool:
        """Let a task be done by an actor that does nothing else; False if that was tried."""
        if number in self._alone:
            return False
        self._alone.add(number)
        self._suspect = number
        return True

    def finish(self) -> None:
        """Note that the result of the first task came out."""
        del self._tasks[self.first]
        self._alone.discard(self.first)
        self.first += 1
