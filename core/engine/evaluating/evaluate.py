"""Evaluates a model, or answers made elsewhere, on a benchmark; goes on where it was killed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Benchmark
from ig4.core.contracts.evaluation import Item, Measured
from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.engine.evaluating.answering import STAGE, Source, answer, from_file, from_model
from ig4.core.engine.ingesting.texts import storable
from ig4.core.errors import DatasetError, Ig4Error, PluginError, UsageError
from ig4.core.events import StageFinished
from ig4.core.records import Choice
from ig4.storage import evaluations

if TYPE_CHECKING:
    from ig4.core.engine.session import Configured, Session
    from ig4.storage.evaluations import EvaluationRow


@dataclass(frozen=True, slots=True)
class EvaluationWish:
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
class Evaluated:
    """What came out: the evaluation's number in the database, and what the answers come to.

    `failed` counts the items without an answer, which count as wrong; with `reused`, nothing was
    computed anew.
    """

    id: int
    benchmark: str
    label: str
    measured: Measured
    items: int
    failed: int
    reused: bool = False


def evaluate(session: Session, wish: EvaluationWish) -> Evaluated:
    """Answer a benchmark's questions and score the answers; equal inputs are not computed twice.

    A question that cannot be answered (its image is missing) counts as wrong and is counted in
    `failed`; `retry_failed` takes up just those.

    Raises:
        UsageError: both or neither of checkpoint and predictions, or a bad option.
        DatasetError: the benchmark's files or the predictions cannot be read, or do not fit; no
            image is where the benchmark looks for it.
        PrerequisiteError: as the trainer, or the benchmark's `open`.
    """
    if (wish.checkpoint is None) == (wish.predictions is None):
        raise UsageError("evaluate either a checkpoint or a file of predictions")
    configured = session.configured(wish.benchmark)
    benchmark = cast("Benchmark", configured.component)
    benchmark.open()
    try:
        items = _items(benchmark, configured.label, wish.limit)
        source = _source(session, benchmark, items, wish)
        component_id = session.component_id(configured.fingerprint)
        with session.store.reading() as connection:
            row = evaluations.find(connection, component_id, source.digest)
        if row is not None and row.status == "done" and not (wish.retry_failed and row.failed):
            return _again(session, configured, items, source, row, wish)
        return _anew(session, configured, items, source, row, wish)
    finally:
        benchmark.close()


def check(session: Session, wish: EvaluationWish) -> None:
    """Read the questions, so that what is wrong with a benchmark is said before hours of work.

    Raises:
        UsageError, DatasetError, PrerequisiteError: as `evaluate`.
    """
    configured = session.configured(wish.benchmark)
    benchmark = cast("Benchmark", configured.component)
    benchmark.open()
    try:
        _items(benchmark, configured.label, wish.limit)
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
    session: Session, benchmark: Benchmark, items: Sequence[Item], wish: EvaluationWish
) -> Source:
    if wish.predictions is not None:
        partial = wish.limit is not None
        return from_file(session, items, wish.predictions, wish.label, partial=partial)
    assert wish.checkpoint is not None
    decoding = wish.decoding
    if decoding.max_new_tokens is None:
        decoding = replace(decoding, max_new_tokens=benchmark.max_new_tokens)
    folders = (benchmark.image_root, wish.image_root)
    return from_model(session, items, wish.checkpoint, decoding, folders, wish.label)


def _again(
    session: Session,
    configured: Configured,
    items: Sequence[Item],
    source: Source,
    row: EvaluationRow,
    wish: EvaluationWish,
) -> Evaluated:
    """Return an evaluation that is there, under the name it is asked for by."""
    training_id = _training_of(session, wish)
    with session.store.writing() as connection:
        evaluations.name_it(
            connection, row.id, label=wish.label and source.label, training_id=training_id
        )
        answers = [one.answer for one in evaluations.predictions(connection, row.id)]
    measured = _measured(configured, items, answers)
    session.emit(StageFinished(STAGE, f"{configured.label}: evaluated before"))
    label = source.label if wish.label else row.label
    return Evaluated(row.id, configured.label, label, measured, row.items, row.failed, reused=True)


def _anew(
    session: Session,
    configured: Configured,
    items: Sequence[Item],
    source: Source,
    row: EvaluationRow | None,
    wish: EvaluationWish,
) -> Evaluated:
    """Evaluate, or go on with what an interrupted evaluation of the same left."""
    # What scoring stumbles over must be said now, not after hours of answers.
    _measured(configured, items, [None] * len(items))
    config = {"benchmark": configured.label, "options": configured.fingerprint.identity,
              "label": source.label, "source": source.told}  # fmt: skip
    seed = None if source.decoding is None else source.decoding.seed
    with session.recorded("eval", config, seed):
        number = _begun(session, configured, len(items), source, row, wish)
        with _kept(session, number):
            answer(session, number, items, source)
            with session.store.reading() as connection:
                answers = [one.answer for one in evaluations.predictions(connection, number)]
            measured = _measured(configured, items, answers)
            failed = answers.count(None)
            _store(session, number, measured, failed)
        if failed:
            session.failures[configured.label] = failed
        told = f"{configured.label}: {measured.headline} {measured.value:.4f}"
        session.emit(StageFinished(STAGE, told))
    return Evaluated(number, configured.label, source.label, measured, len(items), failed)


def _begun(
    session: Session,
    configured: Configured,
    items: int,
    source: Source,
    row: EvaluationRow | None,
    wish: EvaluationWish,
) -> int:
    component_id = session.component_id(configured.fingerprint)
    training_id = _training_of(session, wish)
    decoding = source.decoding
    with session.store.writing() as connection:
        if row is not None:
            evaluations.resume(connection, row.id, session.run_id)
            evaluations.name_it(
                connection, row.id, label=wish.label and source.label, training_id=training_id
            )
            if wish.retry_failed:
                evaluations.forget_failures(connection, row.id)
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


def _training_of(session: Session, wish: EvaluationWish) -> int | None:
    if wish.training_id is not None or wish.checkpoint is None or wish.checkpoint.path is None:
        return wish.training_id
    with session.store.reading() as connection:
        return evaluations.training_of(connection, str(wish.checkpoint.path.absolute()))


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
                error=None if interrupted else storable(told)[:2000],
            )  # fmt: skip
        raise


def _measured(
    configured: Configured, items: Sequence[Item], answers: Sequence[str | None]
) -> Measured:
    benchmark = cast("Benchmark", configured.component)
    return checked(configured.label, items, benchmark.score(items, answers))


def _store(session: Session, number: int, measured: Measured, failed: int) -> None:
    metrics = {
        "all": dict(measured.metrics),
        "categories": {storable(name): dict(each) for name, each in measured.categories.items()},
    }
    with session.store.writing() as connection:
        evaluations.put_values(connection, number, measured.values)
        evaluations.finish(
            connection, number, "done", failed=failed, headline=measured.headline,
            value=measured.value, metrics=metrics,
        )  # fmt: skip


def checked(label: str, items: Sequence[Item], measured: Measured) -> Measured:
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
