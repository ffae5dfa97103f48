"""Evaluates a model, or answers made elsewhere, on a benchmark; goes on where it was killed."""

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
from ig4.core.engine.evaluating.answering import (
    STAGE,
    AnswerSource,
    collect_answers,
    from_file,
    from_model,
)
from ig4.core.engine.ingesting.texts import sanitize
from ig4.core.errors import DatasetError, Ig4Error, PluginError, UsageError
from ig4.core.events import StageFinished
from ig4.core.records import Choice
from ig4.storage import evaluations

if TYPE_CHECKING:
    from ig4.core.engine.session import ConfiguredComponent, Session
    from ig4.storage.evaluations import EvaluationRow


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate on which benchmark: a checkpoint, or a file of answers made elsewhere.

    `label` names who answered (by default the checkpoint's folder, the trainer, or the file);
    `limit` takes the first items only; `image_root` is a folder that images may be read from,
    too; `training_id` says which training the checkpoint came from, if its folder does not.
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
    """What came out: the evaluation's number in the database, and what the answers come to.

    `failed` counts the items without an answer, which count as wrong; with `reused`, nothing was
    computed anew.
    """

    id: int
    benchmark: str
    label: str
    measured: BenchmarkResult
    items: int
    failed: int
    reused: bool = False


def evaluate(session: Session, request: EvaluationRequest) -> EvaluationResult:
    """Answer a benchmark's questions and score the answers; equal inputs are not computed twice.

    A question that cannot be answered (its image is missing) counts as wrong and is counted in
    `failed`; `retry_failed` takes up just those.

    Raises:
        UsageError: both or neither of checkpoint and predictions, or a bad option.
        DatasetError: the benchmark's files or the predictions cannot be read, or do not fit; no
            image is where the benchmark looks for it.
        PrerequisiteError: as the trainer, or the benchmark's `open`.
    """
    if (request.checkpoint is None) == (request.predictions is None):
        raise UsageError("evaluate either a checkpoint or a file of predictions")
    configured = session.configured(request.benchmark)
    benchmark = cast("Benchmark", configured.component)
    benchmark.open()
    try:
        items = _items(benchmark, configured.label, request.limit)
        source = _source(session, benchmark, items, request)
        component_id = session.component_id(configured.fingerprint)
        with session.store.reading() as connection:
            row = evaluations.find(connection, component_id, source.digest)
        if row is not None and row.status == "done" and not (request.retry_failed and row.failed):
            return _again(session, configured, items, source, row, request)
        return _anew(session, configured, items, source, row, request)
    finally:
        benchmark.close()


def check_benchmark(session: Session, request: EvaluationRequest) -> None:
    """Read the questions, so that what is wrong with a benchmark is said before hours of work.

    Raises:
        UsageError, DatasetError, PrerequisiteError: as `evaluate`.
    """
    configured = session.configured(request.benchmark)
    benchmark = cast("Benchmark", configured.component)
    benchmark.open()
    try:
        _items(benchmark, configured.label, request.limit)
    finally:
        benchmark.close()


def _items(benchmark: Benchmark, label: str, limit: int | None) -> list[Item]:
    """Return the items to evaluate on.

    Raises:
        DatasetError: there is none.
        PluginError: an id comes twice.
    """
    found = list(benchmark.items())
    if len({item.id for item in found}) < len(found):
        raise PluginError(f"benchmark {label} gives two items one id")
    found = found[:limit]
    if not found:
        raise DatasetError(f"benchmark {label} has no questions")
    return found


def _source(
    session: Session, benchmark: Benchmark, items: Sequence[Item], request: EvaluationRequest
) -> AnswerSource:
    if request.predictions is not None:
        partial = request.limit is not None
        return from_file(session, items, request.predictions, request.label, partial=partial)
    assert request.checkpoint is not None
    decoding = request.decoding
    if decoding.max_new_tokens is None:
        decoding = replace(decoding, max_new_tokens=benchmark.max_new_tokens)
    folders = (benchmark.image_root, request.image_root)
    return from_model(session, items, request.checkpoint, decoding, folders, request.label)


def _again(
    session: Session,
    configured: ConfiguredComponent,
    items: Sequence[Item],
    source: AnswerSource,
    row: EvaluationRow,
    request: EvaluationRequest,
) -> EvaluationResult:
    """Return an evaluation that is there, under the name it is asked for by."""
    training_id = _training_of(session, request)
    with session.store.writing() as connection:
        evaluations.set_model(
            connection, row.id, label=request.label and source.label, training_id=training_id
        )
        answers = [one.answer for one in evaluations.predictions(connection, row.id)]
    measured = _measured(configured, items, answers)
    session.emit(StageFinished(STAGE, f"{configured.label}: evaluated before"))
    label = source.label if request.label else row.label
    return EvaluationResult(
        row.id, configured.label, label, measured, row.items, row.failed, reused=True
    )


def _anew(
    session: Session,
    configured: ConfiguredComponent,
    items: Sequence[Item],
    source: AnswerSource,
    row: EvaluationRow | None,
    request: EvaluationRequest,
) -> EvaluationResult:
    """Evaluate, or go on with what an interrupted evaluation of the same left."""
    # What scoring stumbles over must be said now, not after hours of answers.
    _measured(configured, items, [None] * len(items))
    config = {"benchmark": configured.label, "options": configured.fingerprint.identity,
              "label": source.label, "source": source.told}  # fmt: skip
    seed = None if source.decoding is None else source.decoding.seed
    with session.recorded("eval", config, seed):
        number = _begun(session, configured, len(items), source, row, request)
        with _kept(session, number):
            collect_answers(session, number, items, source)
            with session.store.reading() as connection:
                answers = [one.answer for one in evaluations.predictions(connection, number)]
            measured = _measured(configured, items, answers)
            failed = answers.count(None)
            _store(session, number, measured, failed)
        if failed:
            session.failures[configured.label] = failed
        told = f"{configured.label}: {measured.headline} {measured.value:.4f}"
        session.emit(StageFinished(STAGE, told))
    return EvaluationResult(number, configured.label, source.label, measured, len(items), failed)


def _begun(
    session: Session,
    configured: ConfiguredComponent,
    items: int,
    source: AnswerSource,
    row: EvaluationRow | None,
    request: EvaluationRequest,
) -> int:
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
            source=source.told,
            training_id=training_id,
            inputs=source.digest,
            seed=None if decoding is None else decoding.seed,
            decoding=None if decoding is None else asdict(decoding),
            items=items,
            run_id=session.run_id,
        )


def _training_of(session: Session, request: EvaluationRequest) -> int | None:
    if (
        request.training_id is not None
        or request.checkpoint is None
        or request.checkpoint.path is None
    ):
        return request.training_id
    with session.store.reading() as connection:
        return evaluations.find_training(connection, str(request.checkpoint.path.absolute()))


@contextmanager
def _kept(session: Session, number: int) -> Iterator[None]:
    """Keep how an evaluation ended if it does not come to its end."""
    try:
        yield
    except BaseException as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        told = str(error) if isinstance(error, Ig4Error) else f"{type(error).__name__}: {error}"
        with session.store.writing() as connection:
            evaluations.finish(
                connection, number, "interrupted" if interrupted else "failed",
                error=None if interrupted else sanitize(told)[:2000],
            )  # fmt: skip
        raise


def _measured(
    configured: ConfiguredComponent, items: Sequence[Item], answers: Sequence[str | None]
) -> BenchmarkResult:
    benchmark = cast("Benchmark", configured.component)
    return validated_result(configured.label, items, benchmark.score(items, answers))


def _store(session: Session, number: int, measured: BenchmarkResult, failed: int) -> None:
    metrics = {
        "all": dict(measured.metrics),
        "categories": {sanitize(name): dict(each) for name, each in measured.categories.items()},
    }
    with session.store.writing() as connection:
        evaluations.put_values(connection, number, measured.values)
        evaluations.finish(
            connection, number, "done", failed=failed, headline=measured.headline,
            value=measured.value, metrics=metrics,
        )  # fmt: skip


def validated_result(
    label: str, items: Sequence[Item], measured: BenchmarkResult
) -> BenchmarkResult:
    """Return what a benchmark measured, if it is what the contract says.

    Raises:
        PluginError: it is not.
    """
    if measured.headline not in measured.metrics:
        raise PluginError(f"benchmark {label} gives no metric {measured.headline!r}, its headline")
    if len(measured.values) != len(items):
        raise PluginError(
            f"benchmark {label} gives {len(measured.values):,} values for {len(items):,} items"
        )
    numbers = [*measured.metrics.values(), *(one for one in measured.values if one is not None)]
    if not all(math.isfinite(number) for number in numbers):
        raise PluginError(f"benchmark {label} gives a metric that is no number")
    return measured
