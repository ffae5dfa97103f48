"""The training stage: a selection goes to a trainer, the loss curve to the database."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
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
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.training.outputs import claim_folder, finished_checkpoint, is_training
from ig4.core.errors import DatasetError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.files.images import ImageError
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Sample
from ig4.storage import samples as stored
from ig4.storage import selections, trainings

if TYPE_CHECKING:
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow

STAGE = "train"
LOAD = "load"
ALL = "all"
INTERRUPTED = "its process was killed, or failed in another of its processes"
_SHOWN = 3
_FLUSH_SECONDS = 1.0
_READERS = 8


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train, and on which samples.

    `selection` is a number, "last" or "all"; `missing` says what to do with samples whose images
    cannot be read: "error" or "skip".
    """

    trainer: Choice
    selection: str = "last"
    output: Path | None = None
    seed: int = 42
    missing: str = "error"
    check_images: bool = True
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a training: its number in the database, and the checkpoint."""

    id: int | None
    dataset: str
    selection: int | None
    samples: int
    left_out: int
    checkpoint: Checkpoint
    reused: bool = False


@dataclass(frozen=True, slots=True)
class _TrainingSet:
    """The samples of a training, where they come from, and how many were left out."""

    dataset: DatasetRow
    selection: int | None
    digest: str | None
    samples: list[Sample]
    contents: list[int]
    left_out: int


def train(session: Session, dataset: DatasetRow | None, request: TrainingRequest) -> TrainingResult:
    """Train on a selection, or resume an interrupted training of the same inputs.

    Raises:
        UsageError: an unknown selection or option, or a selection from another data set.
        DatasetError: images are missing.
        TrainingError, PrerequisiteError: as the trainer.
    """
    configured = session.configured(request.trainer)
    training_set = _training_set(session, dataset, request)
    job = _job(session, configured, training_set, request)
    trainer = cast("Trainer", configured.component)
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
    session: Session, configured: ConfiguredComponent, training_set: _TrainingSet, job: TrainingJob
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
    with session.store.writing() as connection:
        trainings.finish(connection, number, "done", metrics=checkpoint.metrics)
    session.emit(StageFinished(STAGE, f"checkpoint in {job.output}"))
    return number, checkpoint


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
    training_set = _training_set(session, dataset, replace(request, check_images=False))
    job = _job(session, configured, training_set, request)
    trainer = cast("Trainer", configured.component)
    return trainer.footprint(job), len(training_set.samples), job.output


def _training_set(
    session: Session, dataset: DatasetRow | None, request: TrainingRequest
) -> _TrainingSet:
    """Read the samples to train on, without those that have no answer or no readable images."""
    if request.selection == ALL:
        source = dataset or session.dataset()
        with session.store.reading() as connection:
            rows = list(stored.stream(connection, source.id))
        number, digest = None, None
    else:
        if request.selection == "last":
            number = find_selection(session, dataset, request.selection)
        else:
            number = find_selection(session, None, request.selection)
        source = dataset_of_selection(session, number)
        if dataset is not None and source.id != dataset.id:
            raise UsageError(
                f"selection {number} was made from {source.name!r}, not from {dataset.name!r}: "
                "leave --dataset away, or select from it first"
            )
        with session.store.reading() as connection:
            items = selections.samples(connection, number)
            rows = stored.by_id(connection, [item.sample_id for item in items])
            selection = selections.find(connection, number)
        digest = None if selection is None else selection.digest
        selected_contents = {item.sample_id: item.content_id for item in items}
        changed = sum(row.content_id != selected_contents[row.id] for row in rows)
        if changed:
            session.notice(f"{changed:,} samples changed after they were selected")
    pairs = [(sample_of(row), row.content_id) for row in rows]
    answered = [pair for pair in pairs if pair[0].answer.strip()]
    if len(answered) < len(pairs):
        session.notice(f"{len(pairs) - len(answered):,} samples without an answer are left out")
    usable = _readable(session, answered, request)
    return _TrainingSet(
        source, number, digest, [sample for sample, _ in usable],
        [content for _, content in usable], len(pairs) - len(usable),
    )  # fmt: skip


def _readable(
    session: Session, pairs: list[tuple[Sample, int]], request: TrainingRequest
) -> list[tuple[Sample, int]]:
    """Return the samples whose images can all be decoded; checks before any model is loaded.

    Raises:
        DatasetError: some cannot, and the request does not say to leave them out.
    """
    if not request.check_images or not is_main_process():
        return [pair for pair in pairs if request.missing == "error" or _problem(pair[0]) is None]
    session.emit(StageStarted("check images", len(pairs)))
    readable, problems = [], []
    with ThreadPoolExecutor(_READERS) as readers:
        for pair, problem in zip(
            pairs, readers.map(_problem, (sample for sample, _ in pairs)), strict=True
        ):
            if problem is None:
                readable.append(pair)
            else:
                problems.append(f"{pair[0].id!r} ({problem})")
            session.emit(StageAdvanced("check images", 1, int(problem is not None)))
    session.emit(StageFinished("check images"))
    if problems and request.missing == "error":
        more = f" and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
        raise DatasetError(
            f"the images of {len(problems):,} of {len(pairs):,} samples cannot be read: "
            f"{'; '.join(problems[:_SHOWN])}{more}. Put them back, or leave these samples out "
            "with --missing skip"
        )
    if problems:
        session.notice(f"{len(problems):,} samples whose images cannot be read are left out")
    return readable


def _problem(sample: Sample) -> str | None:
    """Return why an image of a sample cannot be decoded, None if all can."""
    for image in sample.images:
        try:
            image.pixels()
        except ImageError as error:
            return str(error)
    return None


def _job(
    session: Session,
    configured: ConfiguredComponent,
    training_set: _TrainingSet,
    request: TrainingRequest,
) -> TrainingJob:
    inputs = digest_of([configured.fingerprint.value, training_set.contents, request.seed])
    origin: dict[str, JSON] = {
        "dataset": training_set.dataset.name,
        "dataset_id": training_set.dataset.id,
        "selection": training_set.selection,
        "selection_digest": training_set.digest,
        "samples": len(training_set.samples),
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
    number: int | None, training_set: _TrainingSet, checkpoint: Checkpoint, *, reused: bool = False
) -> TrainingResult:
    return TrainingResult(
        number, training_set.dataset.name, training_set.selection, len(training_set.samples),
        training_set.left_out, checkpoint, reused,
    )  # fmt: skip
