"""Evaluates a model, or answers made elsewhere, on a benchmark; resumes where it was killed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Benchmark
from ig4.core.contracts.evaluation import BenchmarkResult, Item
from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.counts import counted
from ig4.core.engine.ending import record_failure
from ig4.core.engine.evaluating.answering import (
    STAGE,
    AnswerSource,
    answers_to_grade,
    collect_answers,
    from_file,
    from_model,
)
from ig4.core.errors import DatasetError, PluginError, UsageError
from ig4.core.events import StageFinished
from ig4.core.host.watch import open_named
from ig4.core.records import Choice
from ig4.core.texts import sanitize
from ig4.storage import evaluations

if TYPE_CHECKING:
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.evaluations import EvaluationRow


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate on which benchmark: a checkpoint, or a file of answers made elsewhere.

    `label` names what answered (by default the checkpoint's folder, the trainer, or the file);
    `limit` takes the first items only; `image_root` is one more folder that images may be read
    from; `training_id` is the training that made the checkpoint, if its folder does not say so.
    """

    benchmark: Choice
    checkpoint: Checkpoint | None = None
    predictions: Path | None = None
    label: str | None = None
    decoding: Decoding = field(default_factory=Decoding)
    limit: int | None = None
    image_root: Path | None = None
    training_id: int | None = None
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The result of an evaluation: its number in the database, and the metrics of the answers.

    `failed` counts the items without an answer, which count as wrong; with `reused`, the
    evaluation was in the database already.
    """

    id: int
    benchmark: str
    label: str
    measured: BenchmarkResult
    items: int
    failed: int
    reused: bool = False


def evaluate(session: Session, request: EvaluationRequest) -> EvaluationResult:
    """Answer a benchmark's questions and score the answers; equal inputs are computed only once.

    A question that cannot be answered (its image is missing) counts as wrong and is counted in
    `failed`; `retry_failed` asks just those again.

    Raises:
        UsageError: both or neither of checkpoint and predictions, or a bad option.
        DatasetError: the benchmark's files or the predictions cannot be read, or do not fit
            together; no image is where the benchmark looks for it.
        PrerequisiteError: as the trainer, or the benchmark's `open`.
    """
    if (request.checkpoint is None) == (request.predictions is None):
        raise UsageError("evaluate either a checkpoint or a file of predictions")
    configured = session.configured(request.benchmark)
    benchmark = cast("Benchmark", configured.component)
    open_named(benchmark, configured.label)
    try:
        all_items = _all_items(benchmark, configured.label)
        items = _first_items(all_items, configured.label, request.limit)
        source = _source(session, benchmark, all_items, items, request)
        component_id = session.component_id(configured.fingerprint)
        with session.store.reading() as connection:
            row = evaluations.find(connection, component_id, source.digest)
        if row is not None and row.status == "done" and not (request.retry_failed and row.failed):
            return _reuse(session, configured, items, source, row, request)
        return _compute(session, configured, items, source, row, request)
    finally:
        benchmark.close()


def check_benchmark(session: Session, request: EvaluationRequest) -> None:
    """Read the questions, so that a broken benchmark is reported before hours of work.

    Raises:
        UsageError, DatasetError, PrerequisiteError: as `evaluate`.
    """
    with opened_questions(session, request.benchmark, request.limit):
        pass


@dataclass(frozen=True, slots=True)
class OpenedBenchmark:
    """A benchmark that is open, and the questions that are asked of it."""

    configured: ConfiguredComponent
    items: Sequence[Item]

    @property
    def image_root(self) -> Path | None:
        """The folder that the questions' images are in."""
        return cast("Benchmark", self.configured.component).image_root

    def metrics(self) -> BenchmarkResult:
        """Return the result of no answers at all: the names of the metrics, and the headline."""
        return _score(self.configured, self.items, [None] * len(self.items))


@contextmanager
def opened_questions(
    session: Session, choice: Choice, limit: int | None
) -> Iterator[OpenedBenchmark]:
    """Open a benchmark and read its first `limit` questions; it is closed after the block.

    Raises:
        UsageError, DatasetError, PrerequisiteError: as `evaluate`.
    """
    configured = session.configured(choice)
    benchmark = cast("Benchmark", configured.component)
    open_named(benchmark, configured.label)
    try:
        label = configured.label
        yield OpenedBenchmark(configured, _first_items(_all_items(benchmark, label), label, limit))
    finally:
        benchmark.close()


def _all_items(benchmark: Benchmark, label: str) -> list[Item]:
    """Return all items of a benchmark.

    Raises:
        PluginError: two items have the same id.
    """
    items = list(benchmark.items())
    if len({item.id for item in items}) < len(items):
        raise PluginError(f"benchmark {label} gives two items the same id")
    return items


def _first_items(items: Sequence[Item], label: str, limit: int | None) -> Sequence[Item]:
    """Return the items to evaluate on.

    Raises:
        DatasetError: there is none.
    """
    first = items[:limit]
    if not first:
        raise DatasetError(f"benchmark {label} has no questions")
    return first


def _source(
    session: Session,
    benchmark: Benchmark,
    all_items: Sequence[Item],
    items: Sequence[Item],
    request: EvaluationRequest,
) -> AnswerSource:
    if request.predictions is not None:
        return from_file(session, all_items, request.predictions, request.label, request.limit)
    assert request.checkpoint is not None
    decoding = request.decoding
    if decoding.max_new_tokens is None:
        decoding = replace(decoding, max_new_tokens=benchmark.max_new_tokens)
    folders = (benchmark.image_root, request.image_root)
    return from_model(session, items, request.checkpoint, decoding, folders, request.label)


def _reuse(
    session: Session,
    configured: ConfiguredComponent,
    items: Sequence[Item],
    source: AnswerSource,
    row: EvaluationRow,
    request: EvaluationRequest,
) -> EvaluationResult:
    """Return an evaluation that is in the database already, with the label of the request."""
    training_id = _training_of(session, request)
    with session.store.writing() as connection:
        evaluations.set_model(
            connection, row.id, label=request.label and source.label, training_id=training_id
        )
        stored = [one.answer for one in evaluations.predictions(connection, row.id)]
    answers = answers_to_grade(stored)
    result = _score(configured, items, answers)
    _tell_notes(session, configured, result)
    session.emit(StageFinished(STAGE, f"{configured.label}: evaluated before"))
    label = source.label if request.label else row.label
    return EvaluationResult(
        row.id, configured.label, label, result, row.items, row.failed, reused=True
    )


def _compute(
    session: Session,
    configured: ConfiguredComponent,
    items: Sequence[Item],
    source: AnswerSource,
    row: EvaluationRow | None,
    request: EvaluationRequest,
) -> EvaluationResult:
    """Evaluate, or resume an interrupted evaluation of the same inputs."""
    # An error in scoring must come now, not after hours of answers.
    _score(configured, items, [None] * len(items))
    config = {"benchmark": configured.label, "options": configured.fingerprint.identity,
              "label": source.label, "source": source.origin}  # fmt: skip
    seed = None if source.decoding is None else source.decoding.seed
    with session.recorded("eval", config, seed):
        number = _begin(session, configured, len(items), source, row, request)
        with record_failure(session, evaluations.finish, number):
            collect_answers(session, number, items, source)
            with session.store.reading() as connection:
                stored = [one.answer for one in evaluations.predictions(connection, number)]
            answers = _graded(session, stored)
            result = _score(configured, items, answers)
            failed = answers.count(None)
            _store(session, number, result, failed)
        _tell_notes(session, configured, result)
        if failed:
            session.failures[configured.label] = failed
        message = f"{configured.label}: {result.headline} {result.value:.4f}"
        session.emit(StageFinished(STAGE, message))
    return EvaluationResult(number, configured.label, source.label, result, len(items), failed)


def _graded(session: Session, stored: Sequence[str | None]) -> list[str | None]:
    """Return the answers to grade; it is said if that is not all that a model wrote."""
    answers = answers_to_grade(stored)
    count = sum(one != other for one, other in zip(stored, answers, strict=True))
    if count:
        session.notice(
            f"{counted(count, 'answer begins', 'answers begin')} with thoughts: only what follows "
            "them is graded"
        )
    return answers


def _begin(
    session: Session,
    configured: ConfiguredComponent,
    items: int,
    source: AnswerSource,
    row: EvaluationRow | None,
    request: EvaluationRequest,
) -> int:
    """Return the id of a new evaluation, or of the earlier one in `row`, which goes on."""
    component_id = session.component_id(configured.fingerprint)
    training_id = _training_of(session, request)
    decoding = source.decoding
    with session.store.writing() as connection:
        if row is not None:
            evaluations.resume(connection, row.id, session.run_id)
            evaluations.set_model(
                connection, row.id, label=request.label and source.label, training_id=training_id
            )
            if request.retry_failed:
                evaluations.delete_failures(connection, row.id)
            return row.id
        return evaluations.begin(
            connection,
            component_id=component_id,
            name=configured.label,
            label=source.label,
            source=source.origin,
            training_id=training_id,
            inputs=source.digest,
            seed=None if decoding is None else decoding.seed,
            decoding=None if decoding is None else asdict(decoding),
            items=items,
            run_id=session.run_id,
        )


def _training_of(session: Session, request: EvaluationRequest) -> int | None:
    """Return the training that made the checkpoint, if it is known."""
    if (
        request.training_id is not None
        or request.checkpoint is None
        or request.checkpoint.path is None
    ):
        return request.training_id
    with session.store.reading() as connection:
        return evaluations.find_training(connection, str(request.checkpoint.path.absolute()))


def _score(
    configured: ConfiguredComponent, items: Sequence[Item], answers: Sequence[str | None]
) -> BenchmarkResult:
    benchmark = cast("Benchmark", configured.component)
    return validated_result(configured.label, items, benchmark.score(items, answers))


def _tell_notes(session: Session, configured: ConfiguredComponent, result: BenchmarkResult) -> None:
    for note in result.notes:
        session.notice(sanitize(f"{configured.label}: {note}"))


def _store(session: Session, number: int, result: BenchmarkResult, failed: int) -> None:
    metrics = {
        "all": dict(result.metrics),
        "categories": {sanitize(name): dict(each) for name, each in result.categories.items()},
    }
    with session.store.writing() as connection:
        evaluations.put_values(connection, number, result.values)
        evaluations.finish(
            connection, number, "done", failed=failed, headline=result.headline,
            value=result.value, metrics=metrics,
        )  # fmt: skip


def validated_result(label: str, items: Sequence[Item], result: BenchmarkResult) -> BenchmarkResult:
    """Return a benchmark's result, if it keeps the contract.

    Raises:
        PluginError: it does not.
    """
    if result.headline not in result.metrics:
        raise PluginError(f"benchmark {label} gives no metric {result.headline!r}, its headline")
    if len(result.values) != len(items):
        raise PluginError(
            f"benchmark {label} gives {counted(len(result.values), 'value')} for "
            f"{counted(len(items), 'item')}"
        )
    numbers = [*result.metrics.values(), *(value for value in result.values if value is not None)]
    if not all(math.isfinite(number) for number in numbers):
        raise PluginError(f"benchmark {label} gives a metric that is not a finite number")
    return result
