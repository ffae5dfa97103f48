"""Runs an ablation: every arm with every seed, trained and evaluated, killed or not."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.engine.ablating import devices
from ig4.core.engine.ablating.arms import Arm, expand_arms
from ig4.core.engine.ablating.cells import CellResult, error_text
from ig4.core.engine.ablating.plan import AblationPlan, AblationTask, ArmPlanner
from ig4.core.engine.ablating.result import AblationResult, load_result
from ig4.core.engine.ablating.workers import CellStarted, Step, WorkerPool, in_this_process
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.locks import held
from ig4.core.host.fingerprint import digest_of
from ig4.storage import ablations
from ig4.storage.ablations import CellRow

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

STAGE = "ablate"
CELLS = "cells"


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """What an arm would take: `samples` and `steps` are None where they cannot be told."""

    arm: str
    group: str
    take: str
    seeds: int
    samples: int | None
    steps: int | None
    error: str | None = None


def configured_arms(session: Session, dataset: DatasetRow, config: Config) -> tuple[Arm, ...]:
    """Return the arms that a configuration compares.

    Raises:
        UsageError: an arm's name or values make no sense here.
    """
    own = {
        name: Arm(
            name, one.selection, selector=one.selector, scorers=one.scorers, weights=one.weights,
            scale=one.scale, clusterer=one.clusterer, k=one.k, size=one.size,
            fraction=one.fraction, options=one.options,
        )
        for name, one in config.ablate.arms.items()
    }  # fmt: skip
    return expand_arms(config.ablate.compare, make_planner(session, dataset, config).known(), own)


def make_planner(session: Session, dataset: DatasetRow, config: Config) -> ArmPlanner:
    """Return what prepares the arms of a configuration.

    Raises:
        UsageError: it names no benchmark.
    """
    section = config.ablate
    if not section.benchmarks:
        raise UsageError("name at least one benchmark: --benchmarks vqa")
    first = config.run.seed
    return ArmPlanner(
        session,
        dataset,
        config,
        config.choice("trainer", section.trainer or config.train.trainer),
        tuple(config.choice("benchmark", name) for name in dict.fromkeys(section.benchmarks)),
        range(first, first + section.seeds),
    )


def forecast(session: Session, dataset: DatasetRow, config: Config) -> list[ArmPlan]:
    """Return what an ablation would take, selecting and training nothing.

    Raises:
        UsageError, PrerequisiteError: a name or option is wrong.
    """
    made = make_planner(session, dataset, config)
    for benchmark in made.benchmarks:
        session.configured(benchmark)
    arms = configured_arms(session, dataset, config)
    plans = []
    for arm, size in zip(arms, made.sizes(arms).values(), strict=True):
        plan = ArmPlan(arm.name, arm.group, arm.take, len(made.seeds), None, None)
        if isinstance(size, Ig4Error):
            plans.append(replace(plan, error=str(size)))
            continue
        footprint = made.footprint(arm, size) if size else None
        steps = 0 if arm.take == "none" else None if footprint is None else footprint.steps
        plans.append(replace(plan, samples=size, steps=steps))
    return plans


def ablate(session: Session, dataset: DatasetRow, config: Config) -> AblationResult:
    """Train and evaluate every arm with every seed, and compare them.

    What is done stays done: killed or not, an equal call goes on with what is missing, and cells
    that failed are tried again. One failed cell stops no other.

    Raises:
        UsageError: a name, an option or an arm is wrong.
        Ig4Error: no arm can be prepared.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "ig4 ablate starts its own processes (--jobs): start it without accelerate"
        )
    arms = configured_arms(session, dataset, config)
    made = make_planner(session, dataset, config)
    for choice in (*made.benchmarks, made.trainer):
        session.configured(choice)
    kept = _kept(config, arms, made)
    # Held from here on: what another call is at work on must not be taken for left over.
    folder = config.ablate.output / folder_name(dataset.name)
    with exclusive(folder), session.recorded("ablate", kept, config.run.seed):
        session.attach(dataset.id)
        plan = made.plan(arms)
        inputs = _inputs(dataset, kept, plan)
        with session.store.writing() as connection:
            number = ablations.begin(
                connection, dataset_id=dataset.id, inputs=inputs, config=kept, run_id=session.run_id
            )
        work = _AblationRunner(session, dataset, config, number, plan.tasks)
        work.refuse(plan.broken, made.seeds)
        work.go()
        session.failures.pop(CELLS, None)
        if failed := _failed(session, number):
            session.failures[CELLS] = failed
    return load_result(session, number, computed=work.computed)


def _kept(config: Config, arms: Sequence[Arm], made: ArmPlanner) -> dict[str, Any]:
    """Return what the database keeps of an ablation: enough to make its tables again."""
    section = config.ablate
    return {
        "arms": [{"name": arm.name, "group": arm.group, **arm.told()} for arm in arms],
        "seeds": list(made.seeds),
        "benchmarks": {one.label: dict(one.options) for one in made.benchmarks},
        "trainer": made.trainer.label,
        "options": dict(made.trainer.options),
        "steps": section.steps,
        "limit": section.limit,
        "factors": dict(section.factors),
    }


def _inputs(dataset: DatasetRow, kept: Mapping[str, Any], plan: AblationPlan) -> str:
    """Return a digest of all that the cells depend on; what only changes speed is not in it."""
    tasks = sorted(
        [task.key, sorted(map(list, task.keys.items())), [list(cell[:2]) for cell in task.cells]]
        for task in plan.tasks
    )
    return digest_of([dataset.id, kept["arms"], kept["seeds"], list(kept["benchmarks"]), tasks])


def _failed(session: Session, number: int) -> int:
    with session.store.reading() as connection:
        return sum(row.status == "failed" for row in ablations.cells(connection, number))


@dataclass(slots=True)
class _AblationRunner:
    """The cells of an ablation on their way: what is known, what is running, what came out."""

    session: Session
    dataset: DatasetRow
    config: Config
    number: int
    tasks: Sequence[AblationTask]
    computed: int = 0
    running: dict[int, AblationTask] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def refuse(self, broken: Mapping[str, Ig4Error], seeds: Sequence[int]) -> None:
        """Record the arms that could not be prepared."""
        with self.session.store.writing() as connection:
            for arm, error in broken.items():
                for seed in seeds:
                    row = CellRow(arm, seed, "failed", error=error_text(error))
                    ablations.put(connection, self.number, row)
        for arm, error in broken.items():
            self.session.notice(f"arm {arm} cannot be prepared: {error}")

    def go(self) -> None:
        """Do all tasks that are not done yet."""
        with self.session.store.reading() as connection:
            rows = ablations.measured_cells(connection, self.dataset.id)
        todo = [task for task in self.tasks if not self._known(task, rows)]
        cells = sum(len(task.cells) for task in self.tasks)
        left = sum(len(task.cells) for task in todo)
        self.session.emit(StageStarted(STAGE, left, "cells"))
        if left < cells:
            self.session.notice(f"{cells - left:,} of {cells:,} cells are done already")
        with self._interruptible(), closing(self._steps(todo)) as steps:
            for step in steps:
                task = todo[step.at]
                if isinstance(step, CellStarted):
                    self.running[step.at] = task
                    self._put(task, "running", CellResult())
                else:
                    del self.running[step.at]
                    self._end(task, step.finished, left)
        self.session.emit(StageFinished(STAGE, f"{cells:,} cells"))

    def _steps(self, todo: Sequence[AblationTask]) -> Generator[Step]:
        jobs = [task.job for task in todo]
        gpus = devices.gpus()
        count = min(self.config.ablate.jobs or max(1, len(gpus)), max(1, len(jobs)))
        if count == 1:
            return in_this_process(self.session, jobs, self._note)
        logs = self.config.ablate.output / folder_name(self.dataset.name) / "logs"
        return WorkerPool(self.session, count, gpus, logs, self._note).do(jobs)

    def _note(self, text: str) -> None:
        self.session.emit(StageAdvanced(STAGE, 0, note=text))

    def _known(self, task: AblationTask, rows: Sequence[CellRow]) -> bool:
        """Take over what earlier calls measured of just this model; tell if that is all."""
        found: dict[str, Any] = {}
        training_id = samples = None
        for row in rows:
            for name, key in task.keys.items():
                one = (row.metrics or {}).get(name)
                if one is None or one.get("key") != key:
                    continue
                if not (self.config.ablate.retry_failed and one["failed"]):
                    found[name] = one
                    training_id, samples = row.training_id, row.samples
        if len(found) < len(task.keys):
            return False
        self._put(task, "done", CellResult(training_id, samples, found, trained=True))
        self._remove(task)
        return True

    def _end(self, task: AblationTask, finished: CellResult, left: int) -> None:
        """Record what a task came to, then remove its checkpoint: in this order."""
        self.computed += len(task.cells)
        failed = finished.error is not None
        self._put(task, "failed" if failed else "done", finished)
        if failed:
            self.session.notice(f"{task.job.label} failed: {finished.error}")
        else:
            self._remove(task)
        seconds = (time.monotonic() - self.began) / self.computed * (left - self.computed)
        note = f"{task.job.label} {'failed' if failed else 'done'}"
        if seconds > 1:
            note += f"; about {format_duration(seconds)} left"
        self.session.emit(
            StageAdvanced(STAGE, len(task.cells), len(task.cells) if failed else 0, note=note)
        )

    def _put(self, task: AblationTask, status: str, finished: CellResult) -> None:
        metrics = {name: {**one, "key": task.keys[name]} for name, one in finished.metrics.items()}
        with self.session.store.writing() as connection:
            for arm, seed, selection in task.cells:
                row = CellRow(
                    arm, seed, status,
                    samples=task.samples if finished.samples is None else finished.samples,
                    selection_id=selection,
                    training_id=finished.training_id,
                    metrics=metrics or None,
                    error=finished.error,
                )  # fmt: skip
                ablations.put(connection, self.number, row)

    def _remove(self, task: AblationTask) -> None:
        """Free the disk of a checkpoint that is not wanted any more."""
        folder = Path(task.job.output)
        if self.config.ablate.keep_checkpoints or task.job.take == "none" or not folder.is_dir():
            return
        # Renamed first: killed in between, half a checkpoint must not pass for a whole one.
        going = folder.with_name(f"{folder.name}.removed")
        shutil.rmtree(going, ignore_errors=True)
        folder.rename(going)
        shutil.rmtree(going, ignore_errors=True)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Record what was at work when the user had enough."""
        try:
            yield
        except BaseException:
            for task in self.running.values():
                self._put(task, "interrupted", CellResult())
            raise


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Keep others from training in a folder while the block runs; the system frees it at a kill.

    Raises:
        UsageError: somebody else is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / ".lock"
    lock.touch()
    with held(
        lock,
        f"another `ig4 ablate` trains in {folder}: wait until it is done, or name another folder "
        "with --checkpoints",
    ):
        yield


def format_duration(seconds: float) -> str:
    """Return seconds in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
