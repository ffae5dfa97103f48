"""Runs batches on a Ray cluster: one open copy of the work in each of several actors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Executor, Run, Work
from ig4.plugins.executors.connection import connection
from ig4.plugins.executors.crew import Crew

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
    wait_seconds: float = Field(
        300, gt=0, description="How long to wait for a first actor, or for one that was lost."
    )
    retries: int = Field(
        3, ge=0, description="How often an actor is started anew, and a batch tried again."
    )


class Ray(Executor):
    """Actors that hold the models, each with the images of a further batch being read.

    An actor whose process ends is started anew, where the cluster has room; so are the batches
    that it had. Every node must be able to read the image files.
    """

    Options = RayOptions
    options: RayOptions

    @contextmanager
    def start(self, work: Work[T, R]) -> Iterator[Run[T, R]]:
        """Open the work in every actor; see Executor.start.

        It begins when the first actor is open, and the others join it when they are.
        """
        import ray

        if ray.is_initialized():
            with self._crew(work) as crew:
                yield crew.run
        else:
            with connection(self.options.address), self._crew(work) as crew:
                yield crew.run

    @contextmanager
    def _crew(self, work: Work[T, R]) -> Iterator[Crew[T, R]]:
        crew: Crew[T, R] = Crew(
            work,
            actors=self.options.actors,
            resources={"num_cpus": self.options.num_cpus, "num_gpus": self.options.num_gpus},
            wait_seconds=self.options.wait_seconds,
            retries=self.options.retries,
        )
        try:
            crew.assemble()
            yield crew
            crew.close()
        finally:
            crew.end()
