"""The training stage: a selection goes to a trainer, the loss curve to the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Trainer
from ig4.core.contracts.training import (
    Checkpoint,
    Footprint,
    TrainingJob,
    TrainingStep,
    is_main_process,
)
from ig4.core.engine.ending import record_failure
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.training.checking import (
    CheckResult,
)
from ig4.core.engine.training.outputs import claim_folder, finished_checkpoint, is_training
from ig4.core.engine.training.trainingset import (
    ALL,
    TrainingRequest,
    TrainingSet,
    read_training_set,
)
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON
from ig4.storage import trainings

if TYPE_CHECKING:
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow

STAGE = "train"
LOAD = "loading"
INTERRUPTED = "its process was killed, or failed in another of its processes"
_FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a training: its number in the database, and the checkpoint.

    `left_out` counts the samples of the selection that were not trained on, `reasons` by reason.
    `cut_answers` counts those whose answers lost their end; None if that was not checked.
    """

    id: int | None
    dataset: str
    selection: int | None
    samples: int
    left_out: int
    checkpoint: Checkpoint
    reused: bool = False
    reasons: Mapping[str, int] = field(default_factory=dict)
    cut_answers: int | None = None


def train(session: Session, dataset: DatasetRow | None, request: TrainingRequest) -> TrainingResult:
    """Train on a selection, or resume an interrupted training of the same inputs.

    Raises:
        UsageError: an unknown selection or option, or a selection from another data set.
        DatasetError: the trainer cannot train on some samples.
        TrainingError, PrerequisiteError: as the trainer.
    """
    configured = session.configured(request.trainer)
    trainer = cast("Trainer", configured.component)
    training_set = read_training_set(session, dataset, trainer, request)
    job = _job(session, configured, training_set, request)
    inputs = str(job.origin["inputs"])
    if not is_main_process():
        finished = finished_checkpoint(job.output, inputs)
        checkpoint = finished or trainer.train(job)
        return _result(None, training_set, checkpoint, reused=finished is not None)
    mark_interrupted(session)
    with claim_folder(job.output, inputs, overwrite=request.overwrite) as finished:
        if finished is not None:
            session.notice(f"{job.output} holds just this training already: nothing to do")
            return _result(None, training_set, finished, reused=True)
        config = {"trainer": configured.label, "options": configured.fingerprint.identity,
                  "selection": training_set.selection, "output": str(job.output)}  # fmt: skip
        with session.recorded("train", config, request.seed):
            number, checkpoint = _train(session, configured, training_set, job)
    return _result(number, training_set, checkpoint)


def _train(
    session: Session, configured: ConfiguredComponent, training_set: TrainingSet, job: TrainingJob
) -> tuple[int, Checkpoint]:
    """Train, and record the loss curve and the outcome; returns the training's number, too."""
    session.attach(training_set.dataset.id)
    component_id = session.component_id(configured.fingerprint)
    with session.store.writing() as connection:
        number = trainings.begin(
            connection,
            dataset_id=training_set.dataset.id,
            selection_id=training_set.selection,
            component_id=component_id,
            inputs=str(job.origin["inputs"]),
            samples=len(training_set.samples),
            seed=job.seed,
            output=str(job.output.absolute()),
            run_id=session.run_id,
        )
    session.emit(StageStarted(LOAD, None, "models"))
    with (
        record_failure(session, trainings.finish, number),
        _LossCurve(session, number) as curve,
    ):
        checkpoint = cast("Trainer", configured.component).train(
            replace(job, started=curve.start, report=curve.add, notice=session.notice)
        )
        checkpoint = _with_cut(checkpoint, training_set.check)
    with session.store.writing() as connection:
        trainings.finish(connection, number, "done", metrics=checkpoint.metrics)
    session.emit(StageFinished(STAGE, f"checkpoint in {job.output}"))
    return number, checkpoint


def _with_cut(checkpoint: Checkpoint, check: CheckResult | None) -> Checkpoint:
    """Return a checkpoint whose metrics, saved ones too, count the answers that were cut."""
    if check is None or not check.cut:
        return checkpoint
    counted = replace(checkpoint, metrics={**checkpoint.metrics, **check.cut_metrics})
    return counted if checkpoint.path is None else counted.save(checkpoint.path)


def mark_interrupted(session: Session) -> None:
    """Mark trainings as interrupted that the database has as running, but whose process is gone.

    Such a training was killed, perhaps by a launcher because another of its processes failed.
    """
    with session.store.reading() as connection:
        running = [row for row in trainings.list_all(connection) if row.status == "running"]
    gone = [row.id for row in running if not is_training(Path(row.output))]
    if gone:
        with session.store.writing() as connection:
            for number in gone:
                trainings.finish(connection, number, "interrupted", error=INTERRUPTED)


def footprint(
    session: Session, dataset: DatasetRow | None, request: TrainingRequest
) -> tuple[Footprint | None, int, Path]:
    """Return a training's footprint, its number of samples, and its output folder.

    Raises:
        UsageError, PrerequisiteError: as `train`.
    """
    configured = session.configured(request.trainer)
    trainer = cast("Trainer", configured.component)
    # How many steps there are depends on what is skipped; the rest needs nothing of the model.
    if not request.check_images or request.missing == "error":
        request = replace(request, missing="error", check_images=False)
    training_set = read_training_set(session, dataset, trainer, request, lenient=True)
    job = _job(session, configured, training_set, request)
    return trainer.footprint(job), len(training_set.samples), job.output


def _job(
    session: Session,
    configured: ConfiguredComponent,
    training_set: TrainingSet,
    request: TrainingRequest,
) -> TrainingJob:
    inputs = digest_of([configured.fingerprint.value, training_set.contents, request.seed])
    origin: dict[str, JSON] = {
        "dataset": training_set.dataset.name,
        "dataset_id": training_set.dataset.id,
        "selection": training_set.selection,
        "selection_digest": training_set.digest,
        "samples": len(training_set.samples),
        "left_out": dict(training_set.reasons),
        "inputs": inputs,
    }
    selection = ALL if training_set.selection is None else str(training_set.selection)
    name = folder_name(f"{training_set.dataset.name}-{selection}-{configured.label}")
    default = Path("trained") / name
    return TrainingJob(
        training_set.samples, request.output or default, request.seed, origin, notice=session.notice
    )


@dataclass(slots=True)
class _LossCurve:
    """Writes steps to the database, about once a second and at the end."""

    session: Session
    number: int
    waiting: list[TrainingStep] = field(default_factory=list)
    last_write: float = 0.0

    def __enter__(self) -> _LossCurve:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def start(self, total: int, done: int) -> None:
        self.session.emit(StageFinished(LOAD))
        self.session.emit(StageStarted(STAGE, total, "steps"))
        if done:
            self.session.emit(StageAdvanced(STAGE, done))
        with self.session.store.writing() as connection:
            trainings.begin_steps(connection, self.number, total, done)

    def add(self, step: TrainingStep) -> None:
        self.waiting.append(step)
        self.session.emit(StageAdvanced(STAGE, 1, note=f"loss {step.loss:.4f}"))
        if time.monotonic() - self.last_write > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self.last_write = time.monotonic()
        if self.waiting:
            with self.session.store.writing() as connection:
                trainings.put_steps(connection, self.number, self.waiting)
            self.waiting.clear()


def _result(
    number: int | None, training_set: TrainingSet, checkpoint: Checkpoint, *, reused: bool = False
) -> TrainingResult:
    check = training_set.check
    return TrainingResult(
        number, training_set.dataset.name, training_set.selection, len(training_set.samples),
        sum(training_set.reasons.values()), checkpoint, reused, training_set.reasons,
        None if check is None else check.cut,
    )  # fmt: skip
