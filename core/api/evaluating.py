"""Evaluates and judges answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.sessions import open_session
from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.engine.evaluating.evaluate import EvaluationRequest, EvaluationResult
from ig4.core.engine.evaluating.evaluate import evaluate as evaluate_on
from ig4.core.engine.judging.judge import JudgeResult
from ig4.core.engine.judging.judge import judge as judge_pairs
from ig4.core.engine.judging.plan import JudgeRequest
from ig4.core.engine.training.generate import load_checkpoint
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
    if predictions is not None and checkpoint is None and trainer is None:
        model = None
    elif isinstance(checkpoint, Checkpoint):
        model = checkpoint
    else:
        choice = None if trainer is None else Choice("trainer", trainer)
        path = None if checkpoint is None else Path(checkpoint)
        model = load_checkpoint(path, choice, dict(trainer_options or {}))
    request = EvaluationRequest(
        benchmark=Choice("benchmark", benchmark, dict(options or {})),
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
    config = configuration.build({"calls": dict(calls or {})})
    request = JudgeRequest(
        judge=Choice("judge", judge, dict(options or {}), judge),
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
