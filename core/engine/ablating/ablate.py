"""Runs an ablation: every arm with every seed, trained and evaluated, resumed after a kill."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.counts import counted, verb
from ig4.core.engine.ablating.arms.arm import Arm, expand_arms
from ig4.core.engine.ablating.arms.inventory import take_inventory
from ig4.core.engine.ablating.cells import devices
from ig4.core.engine.ablating.cells.cell import CellResult
from ig4.core.engine.ablating.cells.checkpoints import exclusive, remove_checkpoint
from ig4.core.engine.ablating.cells.pool import (
    CellEvent,
    CellStarted,
    WorkerPool,
    run_in_this_process,
)
from ig4.core.engine.ablating.cells.recording import CellRecorder, earlier_result
from ig4.core.engine.ablating.heldout import refuse_learned_from, test_questions
from ig4.core.engine.ablating.plan import AblationPlan, ArmPlanner
from ig4.core.engine.ablating.result import AblationResult, load_result
from ig4.core.engine.ablating.setup import AblationSetup, make_setup
from ig4.core.engine.evaluating.questions import kept_digests
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.secrets import scrub
from ig4.storage import ablations

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.ablating.cells.tasks import AblationTask
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

STAGE = "ablate"
CELLS = "cells"


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """What an arm would take: `samples` and `steps` are None where they are unknown."""

    arm: str
    group: str
    take: str
    seeds: int
    samples: int | None
    steps: int | None
    error: str | None = None


def configured_arms(setup: AblationSetup) -> tuple[Arm, ...]:
    """Return the arms that a configuration compares.

    Raises:
        UsageError: an arm has an unknown name or impossible values.
    """
    section = setup.config.ablate
    own = {
        name: Arm(
            name, arm.selection, selector=arm.selector, scorers=arm.scorers, weights=arm.weights,
            scale=arm.scale, clusterer=arm.clusterer, k=arm.k, size=arm.size,
            fraction=arm.fraction, options=arm.options, recipe=arm.recipe,
        )
        for name, arm in section.arms.items()
    }  # fmt: skip
    return expand_arms(section.compare, take_inventory(setup), own)


def make_planner(setup: AblationSetup) -> ArmPlanner:
    """Return the planner of a configuration.

    Raises:
        UsageError: it names no benchmark.
    """
    config = setup.config
    section = config.ablate
    if not section.benchmarks:
        raise UsageError("name at least one benchmark: --benchmarks vqa")
    first = config.run.seed
    return ArmPlanner(
        setup,
        config.choice("trainer", section.trainer or config.train.trainer),
        tuple(config.choice("benchmark", name) for name in dict.fromkeys(section.benchmarks)),
        range(first, first + section.seeds),
    )


def forecast(session: Session, dataset: DatasetRow, config: Config) -> list[ArmPlan]:
    """Return what an ablation would take; selects and trains nothing.

    Raises:
        UsageError, PrerequisiteError: a name or option is wrong.
    """
    setup = make_setup(session, dataset, config)
    planner = make_planner(setup)
    for benchmark in planner.benchmarks:
        session.configured(benchmark)
    arms = configured_arms(setup)
    plans = []
    for arm, size in zip(arms, planner.sizes(arms).values(), strict=True):
        plan = ArmPlan(arm.name, arm.group, arm.take, len(planner.seeds), None, None)
        if isinstance(size, Ig4Error):
            plans.append(replace(plan, error=str(size)))
            continue
        footprint = planner.footprint(arm, size) if size else None
        steps = 0 if arm.take == "none" else None if footprint is None else footprint.steps
        plans.append(replace(plan, samples=size, steps=steps))
    return plans


def ablate(session: Session, dataset: DatasetRow, config: Config) -> AblationResult:
    """Train and evaluate every arm with every seed, and compare them.

    Finished cells stay: killed or not, an equal call computes what is missing, and tries cells
    that failed again. A failed cell does not stop the others.

    Raises:
        UsageError: a name, an option or an arm is wrong.
        Ig4Error: no arm can be prepared.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "ig4 ablate starts its own processes (--jobs): start it without accelerate"
        )
    setup = make_setup(session, dataset, config)
    planner = make_planner(setup)
    arms = configured_arms(setup)
    for choice in (*planner.benchmarks, planner.trainer):
        session.configured(choice)
    settings = _settings(config, arms, planner)
    with ablation_run(setup, "ablate", settings):
        questions = test_questions(session, config, planner.benchmarks)
        refuse_learned_from(session, arms, questions)
        settings["questions"] = {name: kept_digests(one) for name, one in questions.items()}
        plan = planner.plan(arms)
        number, computed = run_tasks(setup, settings, plan, planner.seeds)
    return load_result(session, number, computed=computed)


@contextmanager
def ablation_run(setup: AblationSetup, command: str, settings: Mapping[str, Any]) -> Iterator[None]:
    """Lock the folder that cells are trained in, and record a run around the block.

    The folder is locked before anything is planned: cells that another call is computing must not
    be taken for interrupted ones.

    Raises:
        UsageError: another process trains there.
    """
    session, dataset, config = setup.session, setup.dataset, setup.config
    folder = config.ablate.output / folder_name(dataset.name)
    with exclusive(folder), session.recorded(command, settings, config.run.seed):
        session.attach(dataset.id)
        yield


def run_tasks(
    setup: AblationSetup, settings: Mapping[str, Any], plan: AblationPlan, seeds: Sequence[int]
) -> tuple[int, int]:
    """Train and evaluate the tasks of a plan, those that are not done yet.

    `settings` are kept with the ablation. Returns its number, and how many cells were computed.
    """
    session = setup.session
    inputs = _inputs_digest(setup.dataset, settings, plan)
    with session.store.writing() as connection:
        number = ablations.begin(
            connection, dataset_id=setup.dataset.id, inputs=inputs, config=settings,
            run_id=session.run_id,
        )  # fmt: skip
    recorder = CellRecorder(session, number)
    recorder.put_broken(plan.broken, seeds)
    for arm, error in plan.broken.items():
        session.notice(f"arm {arm} cannot be prepared: {error}")
    runner = _AblationRunner(setup, recorder, plan.tasks)
    runner.run()
    session.failures.pop(CELLS, None)
    if failed := _count_failed(session, number):
        session.failures[CELLS] = failed
    return number, runner.computed


def _settings(config: Config, arms: Sequence[Arm], planner: ArmPlanner) -> dict[str, Any]:
    """Return what the database keeps of an ablation: enough to make its tables again."""
    section = config.ablate
    settings: dict[str, Any] = {
        "arms": [{"name": arm.name, "group": arm.group, **arm.settings()} for arm in arms],
        "seeds": list(planner.seeds),
        "benchmarks": {choice.label: dict(choice.options) for choice in planner.benchmarks},
        "trainer": planner.trainer.label,
        "options": dict(planner.trainer.options),
        "steps": section.steps,
        "limit": section.limit,
        "factors": dict(section.factors),
    }
    hidden: dict[str, Any] = scrub(settings)
    return hidden


def _inputs_digest(dataset: DatasetRow, settings: Mapping[str, Any], plan: AblationPlan) -> str:
    """Return a digest of all that the cells depend on; what only changes speed is not in it."""
    tasks = sorted(
        [task.key, sorted(map(list, task.keys.items())), [list(cell[:2]) for cell in task.cells]]
        for task in plan.tasks
    )
    return digest_of(
        [dataset.id, settings["arms"], settings["seeds"], list(settings["benchmarks"]), tasks]
    )


def _count_failed(session: Session, number: int) -> int:
    with session.store.reading() as connection:
        return sum(row.status == "failed" for row in ablations.cells(connection, number))


@dataclass(slots=True)
class _AblationRunner:
    """Runs the tasks of an ablation, and records their cells as they start and finish."""

    setup: AblationSetup
    recorder: CellRecorder
    tasks: Sequence[AblationTask]
    computed: int = 0
    running: dict[int, AblationTask] = field(default_factory=dict)
    start: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Run all tasks that are not done yet."""
        session = self.setup.session
        todo = self._unknown_tasks()
        cells = sum(len(task.cells) for task in self.tasks)
        missing = sum(len(task.cells) for task in todo)
        session.emit(StageStarted(STAGE, missing, "cells"))
        if missing < cells:
            session.notice(
                f"{cells - missing:,} of {counted(cells, 'cell')} "
                f"{verb(cells - missing, 'is', 'are')} done already"
            )
        with self._record_interrupted(), closing(self._events(todo)) as events:
            for event in events:
                task = todo[event.index]
                if isinstance(event, CellStarted):
                    self.running[event.index] = task
                    self.recorder.put(task, "running", CellResult())
                else:
                    del self.running[event.index]
                    self._finish(task, event.result, missing)
        session.emit(StageFinished(STAGE, counted(cells, "cell")))

    def _unknown_tasks(self) -> list[AblationTask]:
        """Record the results that earlier calls measured; returns the tasks without any."""
        session, section = self.setup.session, self.setup.config.ablate
        with session.store.reading() as connection:
            rows = ablations.measured_cells(connection, self.setup.dataset.id)
        unknown = []
        for task in self.tasks:
            result = earlier_result(task, rows, retry_failed=section.retry_failed)
            if result is None:
                unknown.append(task)
            else:
                self.recorder.put(task, "done", result)
                self._remove_checkpoint(task)
        return unknown

    def _events(self, todo: Sequence[AblationTask]) -> Generator[CellEvent]:
        """Run tasks, in this process or in several; yields as each starts and finishes."""
        session, section = self.setup.session, self.setup.config.ablate
        jobs = [task.job for task in todo]
        gpus = devices.gpus()
        count = min(section.jobs or max(1, len(gpus)), max(1, len(jobs)))
        if count == 1:
            return run_in_this_process(session, jobs, self._note)
        logs = section.output / folder_name(self.setup.dataset.name) / "logs"
        return WorkerPool(session, count, gpus, logs, self._note).run(jobs)

    def _note(self, text: str) -> None:
        self.setup.session.emit(StageAdvanced(STAGE, 0, note=text))

    def _finish(self, task: AblationTask, result: CellResult, missing: int) -> None:
        """Record a task's result, then remove its checkpoint: in this order."""
        session = self.setup.session
        self.computed += len(task.cells)
        failed = result.error is not None
        self.recorder.put(task, "failed" if failed else "done", result)
        if failed:
            session.notice(f"{task.job.label} failed: {result.error}")
        else:
            self._remove_checkpoint(task)
        elapsed = time.monotonic() - self.start
        seconds = elapsed / self.computed * (missing - self.computed)
        note = f"{task.job.label} {'failed' if failed else 'done'}"
        if seconds > 1:
            note += f"; about {format_duration(seconds)} left"
        session.emit(
            StageAdvanced(STAGE, len(task.cells), len(task.cells) if failed else 0, note=note)
        )

    def _remove_checkpoint(self, task: AblationTask) -> None:
        if not self.setup.config.ablate.keep_checkpoints and task.job.take != "none":
            remove_checkpoint(Path(task.job.output))

    @contextmanager
    def _record_interrupted(self) -> Iterator[None]:
        """Record the running cells as interrupted, if the block raises."""
        try:
            yield
        except BaseException:
            for task in self.running.values():
                self.recorder.put(task, "interrupted", CellResult())
            raise


def format_duration(seconds: float) -> str:
    """Return seconds in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
