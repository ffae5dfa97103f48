"""Actors of Ray that work through tasks: who is idle takes the next one, results keep their order.

Ray starts actors anew and calls them again (`max_restarts`, `max_task_retries`). What is added here
is what it leaves to its users: tasks that wait for an actor which finds no room any more are given
to the others, and a task is tried alone before it is held to be what its actor dies of.
"""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Generic, TypeVar

from ig4.core.contracts import Work
from ig4.core.counts import counted
from ig4.core.errors import Ig4Error, PluginError, PrerequisiteError
from ig4.plugins.executors.taskqueue import TaskQueue

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 2  # tasks of an actor: one at work, and one whose images are read
_AHEAD = 8  # tasks of an actor that may be done before an earlier one is
_MOST_AHEAD = 60
_LOOK_SECONDS = 2.0
_SAY_SECONDS = 10.0

_log = logging.getLogger("ig4.plugins")


class _DeadActorError(PrerequisiteError):
    """An actor died as often as a task may be tried."""


def _library() -> Any:
    import ray

    return ray  # a part of it has no types


class Member:
    """The actor: holds one open copy of the work, and works on one task after the other."""

    def __init__(self, work: Work[Any, Any]) -> None:
        self.work = work
        self.turn = Lock()
        self.error: BaseException | None = None
        try:
            work.open()
        except Exception as error:  # noqa: BLE001 - raised by `ready`, where it keeps its type
            self.error = error

    def ready(self) -> str:
        """Return the node once the work is open.

        Raises:
            Exception: what was raised when it was opened.
        """
        if self.error is not None:
            raise self.error
        ray = _library()
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def lives(self) -> None:
        """Return at once."""

    def call(self, task: Any) -> Any:
        """Do a task; meanwhile the images of another one are read."""
        self.work.prefetch(task)
        with self.turn:
            return self.work(task)

    def close(self) -> None:
        """Close the work, if it was opened."""
        if self.error is None:
            with self.turn:
                self.work.close()


@dataclass(eq=False)
class _Hand:
    """An actor as the crew sees it: whether it is open, and which tasks it has."""

    actor: Any
    opening: Any
    is_open: bool = False
    node: str = ""
    heard: float = 0.0
    tasks: dict[Any, int] = field(default_factory=dict)
    alone: bool = False  # its task is to have no company

    @property
    def can_take(self) -> bool:
        return self.is_open and not self.alone and len(self.tasks) < _AT_ONCE


class Crew(Generic[T, R]):
    """The actors of one piece of work.

    `resources` are those of each actor. `wait_seconds` is how long there may be no open actor.
    """

    def __init__(
        self,
        work: Work[T, R],
        *,
        actors: int,
        resources: dict[str, float],
        wait_seconds: float,
        retries: int,
    ) -> None:
        ray = _library()
        self.resources = resources
        self.wait_seconds = wait_seconds
        # A third call can always be made: it asks whether the actor lives.
        kind = ray.remote(Member).options(
            **resources,
            max_restarts=-1,  # tasks have a limit
            max_task_retries=retries,
            max_concurrency=_AT_ONCE + 1,
        )
        self.hands: list[_Hand] = []
        try:
            for _ in range(actors):
                actor = _sent(kind, work)
                self.hands.append(_Hand(actor, actor.ready.remote()))
        except BaseException:
            self.end()
            raise

    def assemble(self) -> None:
        """Wait until one actor is open, and for others that open at the same time.

        Raises:
            PrerequisiteError: none is open in time; the error of the work; see `_get`.
        """
        began = time.monotonic()
        said = False
        while not any(hand.is_open for hand in self.hands):
            if self._wait({}):
                continue
            waited = time.monotonic() - began
            if waited > self.wait_seconds and self._lacks_room():
                raise PrerequisiteError(f"{self._no_room()}. Nobody could begin")
            if not said and waited > _SAY_SECONDS and self._lacks_room():
                said = True
                _log.warning("waiting for room: %s", self._no_room())

    def run(self, tasks: Iterable[T]) -> Iterator[R]:
        """Yield the results of tasks in their order."""
        queue = TaskQueue(tasks, min(_MOST_AHEAD, _AHEAD * len(self.hands)))
        done: dict[int, Any] = {}
        open_at = time.monotonic()
        while True:
            given = self._give(queue)
            while queue.first in done:
                reference = done.pop(queue.first)
                try:
                    result = _get(reference)
                except _DeadActorError:
                    if not queue.try_alone(queue.first):
                        raise
                else:
                    queue.finish()
                    yield result
            if queue.is_done:
                return
            if given and queue.may_give:
                continue
            found = self._wait(done)
            if found or any(hand.is_open for hand in self.hands):
                open_at = time.monotonic()
            elif time.monotonic() - open_at > self.wait_seconds:
                raise PrerequisiteError(
                    f"{self._no_room()}. What was committed is safe, and the same command goes on "
                    "from there"
                )
            if not found:
                queue.give_again(self._left_behind())

    def close(self) -> None:
        """Close the work in every actor that has it open, and tell of those that never had."""
        ray = _library()
        alive = _alive_nodes()  # one of another node would close when it is started anew
        closing = [
            hand.actor.close.remote() for hand in self.hands if hand.is_open and hand.node in alive
        ]
        if closing:
            closed, _ = ray.wait(closing, num_returns=len(closing), timeout=self.wait_seconds)
            _get(closed)
        missing = sum(not hand.is_open for hand in self.hands)
        if missing and self._lacks_room():
            _log.warning(
                "%s of %s found no room in the cluster at the end: %s",
                missing, counted(len(self.hands), "actor"), self._no_room(),
            )  # fmt: skip

    def end(self) -> None:
        """End the processes of all actors."""
        ray = _library()
        for hand in self.hands:
            ray.kill(hand.actor)

    def _give(self, queue: TaskQueue[T]) -> bool:
        """Give a task to each actor that can take one, to the idle first; tell whether any was."""
        any_given = False
        able = [hand for hand in self.hands if hand.can_take]
        for hand in sorted(able, key=lambda hand: len(hand.tasks)):
            given = queue.give(idle=not hand.tasks)
            if given is None:
                continue
            number, task, hand.alone = given
            hand.tasks[hand.actor.call.remote(task)] = number
            any_given = True
        return any_given

    def _wait(self, done: dict[int, Any]) -> bool:
        """Wait until a task is done or an actor opens; return whether that came in time."""
        ray = _library()
        running = {ref: hand for hand in self.hands for ref in hand.tasks}
        opening = {hand.opening: hand for hand in self.hands if not hand.is_open}
        ready, _ = ray.wait([*running, *opening], timeout=_LOOK_SECONDS)
        for ref in ready:
            if ref in opening:
                self._join(opening[ref])
                continue
            hand = running[ref]
            done[hand.tasks.pop(ref)] = ref
            hand.alone = False
        return bool(ready)

    def _left_behind(self) -> list[int]:
        """Return the tasks of actors that are gone for now, which are to be given to others.

        One that is to be started anew opens when there is room for it. Its calls wait as long, and
        nobody but the state of its node tells that they do, or that it has not answered for long.
        """
        alive = _alive_nodes()
        left: list[int] = []
        for hand in self.hands:
            if not hand.is_open or not hand.tasks:
                continue
            if hand.node in alive and self._answers(hand):
                continue
            if all(other is hand or not other.is_open for other in self.hands):
                continue  # nobody else could do them sooner
            _log.warning(
                "an actor of Ray was lost: %s to others",
                counted(len(hand.tasks), "batch", "batches"),
            )
            hand.is_open = hand.alone = False
            hand.opening = hand.actor.ready.remote()
            left += hand.tasks.values()
            hand.tasks.clear()  # it may do them yet, and nobody asks
        return sorted(left)

    def _answers(self, hand: _Hand) -> bool:
        """Tell whether an actor answers, or may yet: it can be busy for a while."""
        ray = _library()
        try:
            asked = hand.actor.lives.options(max_task_retries=0).remote()
            ray.get(asked, timeout=_LOOK_SECONDS)
        except ray.exceptions.GetTimeoutError:
            return time.monotonic() - hand.heard < self.wait_seconds
        except ray.exceptions.RayActorError:
            return False
        hand.heard = time.monotonic()
        return True

    def _join(self, hand: _Hand) -> None:
        """Let an actor take part that has opened, or leave it out where others can go on.

        Raises:
            Exception: why it cannot, where nobody else is there.
        """
        try:
            hand.node = _get(hand.opening)
        except Exception as error:
            if not any(other.is_open for other in self.hands):
                raise
            self.hands.remove(hand)
            _log.warning("an actor of Ray takes no part any more: %s", error)
        else:
            hand.is_open, hand.heard = True, time.monotonic()

    def _lacks_room(self) -> bool:
        """Tell whether the cluster has no room for another actor, as far as it says."""
        ray = _library()
        free = ray.available_resources()
        names = {"num_cpus": "CPU", "num_gpus": "GPU"}
        return any(free.get(names[key], 0.0) < value for key, value in self.resources.items())

    def _no_room(self) -> str:
        ray = _library()
        there, free = ray.cluster_resources(), ray.available_resources()
        names = {"num_cpus": "CPU", "num_gpus": "GPU"}
        wanted = " and ".join(
            f"{value:g} {names[key]}" for key, value in self.resources.items() if value
        )
        has = ", ".join(
            f"{there.get(name, 0):g} {name} ({free.get(name, 0):g} free)"
            for key, name in names.items()
            if self.resources[key] or name == "CPU"
        )
        return (
            f"each actor of Ray needs {wanted or 'a process'}, and the cluster has {has}: ask for "
            "fewer actors or less (-o ray.actors=1, -o ray.num_cpus=0.5), or for a larger cluster"
        )


def _alive_nodes() -> set[str]:
    return {node["NodeID"] for node in _library().nodes() if node["Alive"]}


def _sent(kind: Any, work: Work[Any, Any]) -> Any:
    """Start an actor with a copy of the work.

    Raises:
        PluginError: the work cannot be pickled.
    """
    try:
        return kind.remote(work)
    except (TypeError, ValueError, AttributeError, pickle.PicklingError) as error:
        raise PluginError(
            "the work cannot be sent to an actor of Ray, as a component of it cannot be pickled "
            "before it is opened: load models, and make locks and threads, in open(). "
            "`--executor local` does without"
        ) from error


def _get(reference: Any) -> Any:
    """Wait for a result; an error in an actor is raised as its original exception.

    Raises:
        PluginError: the actor cannot take the work.
        PrerequisiteError: it died, as it does when memory runs out.
    """
    ray = _library()
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise getattr(error, "cause", None) or error from None
    except ray.exceptions.RayActorError as error:
        raise _died(str(error)) from error


def _died(told: str) -> Ig4Error:
    """Return what to raise for an actor that died, of which Ray told this."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    if "creation task" in lines[0]:
        return PluginError(
            f"an actor of Ray cannot take the work ({lines[-1]}): every node needs ig4 and the "
            "plugins in use, in the same versions"
        )
    return _DeadActorError(
        "an actor of Ray died again and again, as it does when memory runs out. What was committed "
        "is safe, and the same command continues from there, with fewer actors if need be "
        "(-o ray.actors=1)"
    )
