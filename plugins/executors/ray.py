"""Runs batches on a Ray cluster: one open copy of the work in each of several actors."""

from __future__ import annotations

import logging
import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Executor, Run, Work
from ig4.core.errors import Ig4Error, PluginError, PrerequisiteError

T = TypeVar("T")
R = TypeVar("R")


class RayOptions(contracts.Options):
    """Options of the executor `ray`: the cluster, and the resources of each actor."""

    address: str | None = Field(
        None, description="Address of a running cluster; by default RAY_ADDRESS, or one is started."
    )
    actors: int = Field(1, ge=1, description="Number of actors, each with its own models.")
    num_cpus: float = Field(1, ge=0, description="Processor cores for each actor.")
    num_gpus: float = Field(0, ge=0, description="GPUs for each actor; 0.5 lets two share one.")


class Ray(Executor):
    """Actors that hold the models. Every node must be able to read the image files."""

    Options = RayOptions
    options: RayOptions

    @contextmanager
    def start(self, work: Work[T, R]) -> Iterator[Run[T, R]]:
        """Open the work in every actor; see Executor.start."""
        import ray

        started = not ray.is_initialized()
        if started:
            ray.init(address=self.options.address, log_to_driver=False, logging_level=logging.ERROR)
        actor = ray.remote(_Actor).options(
            num_cpus=self.options.num_cpus, num_gpus=self.options.num_gpus
        )
        actors: list[Any] = []
        try:
            for _ in range(self.options.actors):
                actors.append(_sent(actor, work))  # noqa: PERF401 - those there are get killed
            _get([one.open.remote() for one in actors])
            yield lambda tasks: _map(actors, tasks)
            _get([one.close.remote() for one in actors])
        finally:
            for one in actors:
                ray.kill(one)
            if started:
                ray.shutdown()


class _Actor:
    """Holds one open copy of the work; calls run in the order they were made."""

    def __init__(self, work: Work[Any, Any]) -> None:
        self.work = work

    def open(self) -> None:
        self.work.open()

    def call(self, task: Any) -> Any:
        return self.work(task)

    def close(self) -> None:
        self.work.close()


def _map(actors: list[Any], tasks: Iterable[Any]) -> Iterator[Any]:
    # Two tasks an actor: one at work, one waiting, so that none idles while results are stored.
    pending: deque[Any] = deque()
    for number, task in enumerate(tasks):
        pending.append(actors[number % len(actors)].call.remote(task))
        if len(pending) >= 2 * len(actors):
            yield _get(pending.popleft())
    while pending:
        yield _get(pending.popleft())


def _sent(actor: Any, work: Work[Any, Any]) -> Any:
    """Start an actor with a copy of the work.

    Raises:
        PluginError: the work cannot be pickled.
    """
    try:
        return actor.remote(work)
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
    import ray

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
    return PrerequisiteError(
        "an actor of Ray died, as it does when memory runs out. What was committed is safe, and "
        "the same command continues from there, with fewer actors if need be (-o ray.actors=1)"
    )
