"""The training stage: a selection goes to a trainer, its loss curve to the database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.training.outputs import claim_folder, finished_checkpoint, is_training
from ig4.core.errors import DatasetError, Ig4Error, UsageError
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
ALL = "all"
GONE = "its process was killed, or failed in another of its processes"
_SHOWN = 3
_FLUSH_SECONDS = 1.0
_READERS = 8


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train on what.

    `selection` is a number, "last" or "all"; `missing` says what to do with samples whose images
    cannot be read.
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
    """What came out: the training's number in the database, and the checkpoint."""

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
    """Train on a selection, or go on with what an interrupted training of the same left.

    Raises:
        UsageError: an unknown selection or option, or a selection from another data set.
        DatasetError: images are missing.
        TrainingError, PrerequisiteError: as the trainer does.
    """
    configured = session.configured(request.trainer)
    chosen = _choose(session, dataset, request)
    job = _job(session, configured, chosen, request)
    trainer = cast("Trainer", configured.component)
    inputs = str(job.origin["inputs"])
    if not is_main_process():
        done = finished_checkpoint(job.output, inputs)
        return _result(None, chosen, done or trainer.train(job), reused=done is not None)
    mark_interrupted(session)
    with claim_folder(job.output, inputs, overwrite=request.overwrite) as done:
        if done is not None:
            session.notice(f"{job.output} holds just this training already: nothing to do")
            return _result(None, chosen, done, reused=True)
        config = {"trainer": configured.label, "options": configured.fingerprint.identity,
                  "selection": chosen.selection, "output": str(job.output)}  # fmt: skip
        with session.recorded("train", config, request.seed):
            number, checkpoint = _recorded(session, configured, chosen, job)
    return _result(number, chosen, checkpoint)


def _recorded(
    session: Session, configured: ConfiguredComponent, chosen: _TrainingSet, job: TrainingJob
) -> tuple[int, Checkpoint]:
    """Train, with the curve and the outcome in the database; returns the training's number."""
    session.attach(chosen.dataset.id)
    component_id = session.component_id(configured.fingerprint)
    with session.store.writing() as connection:
        number = trainings.begin(
            connection,
            dataset_id=chosen.dataset.id,
            selection_id=chosen.selection,
            component_id=component_id,
            inputs=str(job.origin["inputs"]),
            samples=len(chosen.samples),
            seed=job.seed,
            output=str(job.output.absolute()),
            run_id=session.run_id,
        )
    with _kept(session, number) as curve:
        checkpoint = cast("Trainer", configured.component).train(
            replace(job, started=curve.start, report=curve.add, notice=session.notice)
        )
    with session.store.writing() as connection:
        trainings.finish(connection, number, "done", metrics=checkpoint.metrics)
    session.emit(StageFinished(STAGE, f"checkpoint in {job.output}"))
    return number, checkpoint


def mark_interrupted(session: Session) -> None:
    """Call interrupted what the database takes to be running, and whose process is gone.

    So a training ends that was killed, be it by a launcher because another process failed.
    """
    with session.store.reading() as connection:
        running = [row for row in trainings.list_all(connection) if row.status == "running"]
    gone = [row.id for row in running if not is_training(Path(row.output))]
    if gone:
        with session.store.writing() as connection:
            for number in gone:
                trainings.finish(connection, number, "interrupted", error=GONE)


def footprint(
    session: Session, dataset: DatasetRow | None, request: TrainingRequest
) -> tuple[Footprint | None, int, Path]:
    """Return what a training would take, on how many samples, and where it would go.

    Raises:
        UsageError, PrerequisiteError: as `train`.
    """
    configured = session.configured(request.trainer)
    chosen = _choose(session, dataset, replace(request, check_images=False))
    job = _job(session, configured, chosen, request)
    return cast("Trainer", configured.component).footprint(job), len(chosen.samples), job.output


def _choose(session: Session, dataset: DatasetRow | None, request: TrainingRequest) -> _TrainingSet:
    if request.selection == ALL:
        found = dataset or session.dataset()
        with session.store.reading() as connection:
            rows = list(stored.stream(connection, found.id))
        number, digest = None, None
    else:
        if request.selection == "last":
            number = find_selection(session, dataset, request.selection)
        else:
            number = find_selection(session, None, request.selection)
        found = dataset_of_selection(session, number)
        if dataset is not None and found.id != dataset.id:
            raise UsageError(
                f"selection {number} was made from {found.name!r}, not from {dataset.name!r}: "
                "leave --dataset away, or select from it first"
            )
        with session.store.reading() as connection:
            picked = selections.samples(connection, number)
            rows = stored.by_id(connection, [one.sample_id for one in picked])
            selection = selections.find(connection, number)
        digest = None if selection is None else selection.digest
        then = {one.sample_id: one.content_id for one in picked}
        changed = sum(row.content_id != then[row.id] for row in rows)
        if changed:
            session.notice(f"{changed:,} samples changed after they were selected")
    pairs = [(sample_of(row), row.content_id) for row in rows]
    answered = [pair for pair in pairs if pair[0].answer.strip()]
    if len(answered) < len(pairs):
        session.notice(f"{len(pairs) - len(answered):,} samples without an answer are left out")
    kept = _readable(session, answered, request)
    return _TrainingSet(
        found, number, digest, [one for one, _ in kept], [content for _, content in kept],
        len(pairs) - len(kept),
    )  # fmt: skip


def _readable(
    session: Session, pairs: list[tuple[Sample, int]], request: TrainingRequest
) -> list[tuple[Sample, int]]:
    """Return the samples whose images can all be decoded, found out before any model is loaded.

    Raises:
        DatasetError: some cannot, and the wish does not say to leave them out.
    """
    if not request.check_images or not is_main_process():
        return [pair for pair in pairs if request.missing == "error" or _problem(pair[0]) is None]
    session.emit(StageStarted("check images", len(pairs)))
    kept, problems = [], []
    with ThreadPoolExecutor(_READERS) as readers:
        for pair, problem in zip(
            pairs, readers.map(_problem, (one for one, _ in pairs)), strict=True
        ):
            if problem is None:
                kept.append(pair)
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
    return kept


def _problem(sample: Sample) -> str | None:
    for image in sample.images:
        try:
            image.pixels()
        except ImageError as error:
            return str(error)
    return None


def _job(
    session: Session,
    configured: ConfiguredComponent,
    chosen: _TrainingSet,
    request: TrainingRequest,
) -> TrainingJob:
    inputs = digest_of([configured.fingerprint.value, chosen.contents, request.seed])
    origin: dict[str, JSON] = {
        "dataset": chosen.dataset.name,
        "dataset_id": chosen.dataset.id,
        "selection": chosen.selection,
        "selection_digest": chosen.digest,
        "samples": len(chosen.samples),
        "inputs": inputs,
    }
    what = ALL if chosen.selection is None else str(chosen.selection)
    default = Path("trained") / folder_name(f"{chosen.dataset.name}-{what}-{configured.label}")
    return TrainingJob(
        chosen.samples, request.output or default, request.seed, origin, notice=session.notice
    )


@dataclass(slots=True)
class _LossCurve:
    """Writes steps to the database, about once a second."""

    session: Session
    number: int
    waiting: list[TrainingStep] = field(default_factory=list)
    written: float = 0.0

    def start(self, total: int, done: int) -> None:
        self.session.emit(StageStarted(STAGE, total, "steps"))
        if done:
            self.session.emit(StageAdvanced(STAGE, done))
        with self.session.store.writing() as connection:
            trainings.begin_steps(connection, self.number, total, done)

    def add(self, step: TrainingStep) -> None:
        self.waiting.append(step)
        self.session.emit(StageAdvanced(STAGE, 1, note=f"loss {step.loss:.4f}"))
        if time.monotonic() - self.written > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self.written = time.monotonic()
        if self.waiting:
            with self.session.store.writing() as connection:
                trainings.put_steps(connection, self.number, self.waiting)
            self.waiting.clear()


@contextmanager
def _kept(session: Session, number: int) -> Iterator[_LossCurve]:
    """Keep a training's curve, and how it ended if it does not come to its end."""
    curve = _LossCurve(session, number)
    try:
        yield curve
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        told = str(error) if isinstance(error, Ig4Error) else f"{type(error).__name__}: {error}"
        curve.flush()
        with session.store.writing() as connection:
            trainings.finish(
                connection, number, "interrupted" if interrupted else "failed",
                error=None if interrupted else told[:2000],
            )  # fmt: skip
        raise
    curve.flush()


def _result(
    number: int | None, chosen: _TrainingSet, checkpoint: Checkpoint, *, reused: bool = False
) -> TrainingResult:
    return TrainingResult(
        number, chosen.dataset.name, chosen.selection, len(chosen.samples), chosen.left_out,
        checkpoint, reused,
    )  # fmt: skip
