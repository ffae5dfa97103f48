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
from ig4.core.counts import counted, verb
from ig4.core.engine.ending import record_failure
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.engine.training.checking import (
    CheckResult,
    check_samples,
    require_usable,
    tell,
)
from ig4.core.engine.training.outputs import claim_folder, finished_checkpoint, is_training
from ig4.core.errors import DatasetError, PrerequisiteError, UsageError
from ig4.core.events import StageAdvanced, StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice, Sample
from ig4.storage import samples as stored
from ig4.storage import selections, trainings

if TYPE_CHECKING:
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.datasets import DatasetRow

STAGE = "train"
LOAD = "loading"
ALL = "all"
INTERRUPTED = "its process was killed, or failed in another of its processes"
NO_ANSWER = "no answer"
PROBLEM = "a problem that `ig4 ingest` named"
_FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What to train, and on which samples.

    `selection` is a number, "last" or "all"; `missing` says what to do with samples that the
    trainer cannot train on (an image cannot be read, or its processor refuses it): "error" or
    "skip". Without `check_images` the samples are not checked, and none is skipped.
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


@dataclass(frozen=True, slots=True)
class _TrainingSet:
    """The samples of a training, where they come from, and why others were left out."""

    dataset: DatasetRow
    selection: int | None
    digest: str | None
    samples: list[Sample]
    contents: list[int]
    reasons: dict[str, int]
    check: CheckResult | None


def train(session: Session, dataset: DatasetRow | None, request: TrainingRequest) -> TrainingResult:
    """Train on a selection, or resume an interrupted training of the same inputs.

    Raises:
        UsageError: an unknown selection or option, or a selection from another data set.
        DatasetError: the trainer cannot train on some samples.
        TrainingError, PrerequisiteError: as the trainer.
    """
    configured = session.configured(request.trainer)
    trainer = cast("Trainer", configured.component)
    training_set = _training_set(session, dataset, trainer, request)
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
    training_set = _training_set(session, dataset, trainer, request, lenient=True)
    job = _job(session, configured, training_set, request)
    return trainer.footprint(job), len(training_set.samples), job.output


def _training_set(
    session: Session,
    dataset: DatasetRow | None,
    trainer: Trainer,
    request: TrainingRequest,
    *,
    lenient: bool = False,
) -> _TrainingSet:
    """Read the samples to train on, without those that have no answer or that are skipped.

    If it is `lenient`, what the check needs may be missing; then nothing is skipped.
    """
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
            were = verb(changed, "it was", "they were")
            session.notice(f"{counted(changed, 'sample')} changed after {were} selected")
    pairs = [(sample_of(row), row.content_id) for row in rows]
    answered = [pair for pair in pairs if pair[0].answer.strip()]
    if len(answered) < len(pairs):
        session.notice(
            f"{counted(len(pairs) - len(answered), 'sample')} without an answer left out"
        )
    sound = [pair for pair, row in zip(pairs, rows, strict=True)
             if pair[0].answer.strip() and row.problem is None]  # fmt: skip
    if len(sound) < len(answered):
        session.notice(
            f"{counted(len(answered) - len(sound), 'sample')} with a problem that `ig4 "
            "ingest` named "
            "left out"
        )
    counts = {NO_ANSWER: len(pairs) - len(answered), PROBLEM: len(answered) - len(sound)}
    reasons = {reason: count for reason, count in counts.items() if count}
    check = None
    try:
        check = _check(session, trainer, [sample for sample, _ in sound], request)
    except (PrerequisiteError, UsageError) as error:
        if not lenient:
            raise
        session.notice(f"the samples cannot be checked here: {error}")
    usable = sound if check is None else [sound[place] for place in check.usable]
    if check is not None:
        reasons |= check.reasons
    return _TrainingSet(
        source, number, digest, [sample for sample, _ in usable],
        [content for _, content in usable], reasons, check,
    )  # fmt: skip


def _check(
    session: Session, trainer: Trainer, samples: list[Sample], request: TrainingRequest
) -> CheckResult | None:
    """Check the samples before any weights are loaded; None if they are not checked.

    Processes that train together must train on the same samples. With "skip" that depends on the
    check, so each of them checks; with "error" all samples are trained on, or none, so that the
    main process checks for all.

    Raises:
        DatasetError: some cannot be trained on, and the request does not say to skip them; or all
            would be skipped.
    """
    if not request.check_images:
        if request.missing == "skip" and is_main_process():
            session.notice("the samples are not checked, so that none of them is skipped")
        return None
    if request.missing == "error" and not is_main_process():
        return None
    check = check_samples(session, trainer, samples)
    if request.missing == "error":
        require_usable(check, len(samples))
    if samples and not check.usable:
        raise DatasetError(f"{check.summary(len(samples))}: no sample is left to train on")
    tell(session, check, len(samples))
    return check


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
    number: int | None, training_set: _TrainingSet, checkpoint: Checkpoint, *, reused: bool = False
) -> TrainingResult:
    check = training_set.check
    return TrainingResult(
        number, training_set.dataset.name, training_set.selection, len(training_set.samples),
        sum(training_set.reasons.values()), checkpoint, reused, training_set.reasons,
        None if check is None else check.cut,
    )  # fmt: skip
