"""Evaluates and judges answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.arguments import by_name, options_of
from ig4.core.api.sessions import open_session
from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.engine.evaluating.evaluate import EvaluationRequest, EvaluationResult
from ig4.core.engine.evaluating.evaluate import evaluate as evaluate_on
from ig4.core.engine.judging.judge import JudgeResult
from ig4.core.engine.judging.judge import judge as judge_pairs
from ig4.core.engine.judging.plan import JudgeRequest
from ig4.core.engine.training.generate import load_checkpoint
from ig4.core.limits import (
    BATCH,
    BEAMS,
    NEW_TOKENS,
    QUESTIONS,
    REPETITION,
    SEED,
    TEMPERATURE,
    TOP_P,
)
from ig4.core.records import Choice
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener


def evaluate(
    checkpoint: str | Path | Checkpoint | None = None,
    benchmark: str = "vqa",
    *,
    db: str | Path | Store = DEFAULT,
    options: Mapping[str, Any] | None = None,
    predictions: str | Path | None = None,
    trainer: str | None = None,
    trainer_options: Mapping[str, Any] | None = None,
    decoding: Decoding | None = None,
    label: str | None = None,
    limit: int | None = None,
    image_root: str | Path | None = None,
    retry_failed: bool = False,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> EvaluationResult:
    """Do what `ig4 eval` does on one benchmark; `options` are the benchmark's.

    Give a checkpoint, or a file of `predictions` made elsewhere, or a `trainer` for its untrained
    model.

    Raises:
        Ig4Error: the request is wrong, files cannot be read or do not fit, something is missing.
        StorageError: the database cannot be opened or written.
    """
    QUESTIONS.check("limit", limit)
    _check_decoding(decoding or Decoding())
    if predictions is not None and checkpoint is None and trainer is None:
        model = None
    elif isinstance(checkpoint, Checkpoint):
        model = checkpoint
    else:
        choice = None if trainer is None else Choice("trainer", trainer)
        path = None if checkpoint is None else Path(checkpoint)
        model = load_checkpoint(path, choice, options_of("trainer_options", trainer_options))
    request = EvaluationRequest(
        benchmark=Choice("benchmark", benchmark, options_of("options", options)),
        checkpoint=model,
        predictions=None if predictions is None else Path(predictions),
        label=label,
        decoding=decoding or Decoding(),
        limit=limit,
        image_root=None if image_root is None else Path(image_root),
        retry_failed=retry_failed,
    )
    with open_session(db, listeners, progress=progress, create=True) as session:
        return evaluate_on(session, request)


def _check_decoding(decoding: Decoding) -> None:
    NEW_TOKENS.check("max_new_tokens", decoding.max_new_tokens)
    TEMPERATURE.check("temperature", decoding.temperature)
    TOP_P.check("top_p", decoding.top_p)
    BEAMS.check("num_beams", decoding.num_beams)
    REPETITION.check("repetition_penalty", decoding.repetition_penalty)
    BATCH.check("batch_size", decoding.batch_size)
    SEED.check("seed", decoding.seed)


def judge(
    first: str | Path,
    second: str | Path,
    questions: str | Path,
    *,
    contexts: str | Path | None = None,
    judge: str = "gpt",
    options: Mapping[str, Any] | None = None,
    labels: tuple[str, str] | None = None,
    image_root: str | Path | None = None,
    db: str | Path | Store = DEFAULT,
    calls: Mapping[str, Any] | None = None,
    seed: int = 42,
    retry_failed: bool = False,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> JudgeResult:
    """Do what `ig4 judge` does: compare two files of answers, each pair in both orders.

    `options` are the judge's, `calls` what the table of that name says: `{"max_cost": 2.0}`.

    Raises:
        Ig4Error: the request is wrong, or something it needs is missing.
        StorageError: the database cannot be opened or written.
    """
    SEED.check("seed", seed)
    config = configuration.build({"calls": by_name("calls", calls, "{'max_cost': 2.0}")})
    request = JudgeRequest(
        judge=Choice("judge", judge, options_of("options", options), judge),
        first=Path(first),
        second=Path(second),
        questions=Path(questions),
        contexts=None if contexts is None else Path(contexts),
        labels=labels,
        image_root=None if image_root is None else Path(image_root),
        seed=seed,
        call_settings=config.call_settings,
        renew=retry_failed,
    )
    with open_session(db, listeners, progress=progress, create=True) as session:
        return judge_pairs(session, request)
