"""Runs one cell of an ablation: trains a model with one seed and evaluates it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.contracts.training import Checkpoint, Decoding
from ig4.core.engine.ending import error_text
from ig4.core.engine.evaluating.evaluate import EvaluationRequest, evaluate
from ig4.core.engine.session import Session
from ig4.core.engine.training.train import train
from ig4.core.engine.training.trainingset import TrainingRequest
from ig4.core.events import Event, Notice, StageAdvanced, StageFinished, StageStarted
from ig4.core.records import JSON, Choice
from ig4.storage import ablations

if TYPE_CHECKING:
    from ig4.core.host.host import Host
    from ig4.storage.store import Store

_NOTE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class CellJob:
    """What to train and evaluate; can be sent to another process as JSON.

    `take` is a selection's number, "all", or "none" for the model as it is; `output` is the
    checkpoint's folder.
    """

    dataset_id: int
    dataset: str
    label: str
    take: str
    trainer: Choice
    seed: int
    output: str
    missing: str
    benchmarks: tuple[Choice, ...]
    limit: int | None
    batch_size: int
    image_root: str | None
    retry_failed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the job as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CellJob:
        """Return the job that `to_json` returned as `data`."""
        choices = {
            "trainer": Choice(**data["trainer"]),
            "benchmarks": tuple(Choice(**choice) for choice in data["benchmarks"]),
        }
        return cls(**{**data, **choices})


@dataclass(frozen=True, slots=True)
class CellResult:
    """The result of a job: metrics by benchmark, and the error if some are missing.

    With `trained`, the checkpoint is there, even if a benchmark failed.
    """

    training_id: int | None = None
    samples: int | None = None
    metrics: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    error: str | None = None
    trained: bool = False


def decoding(seed: int, batch_size: int) -> Decoding:
    """Return how a cell's answers are decoded: with the cell's seed, too."""
    return Decoding(batch_size=batch_size, seed=seed)


def run_cell(session: Session, job: CellJob) -> CellResult:
    """Train, then evaluate on each benchmark; errors are in the result, and stop no other cell."""
    try:
        training_id, count, checkpoint = _train(session, job)
    except Exception as error:  # noqa: BLE001 - a cell's; the others go on
        return CellResult(error=error_text(error))
    metrics: dict[str, Mapping[str, JSON]] = {}
    errors = []
    for benchmark in job.benchmarks:
        request = EvaluationRequest(
            benchmark,
            checkpoint=checkpoint,
            label=job.label,
            decoding=decoding(job.seed, job.batch_size),
            limit=job.limit,
            image_root=None if job.image_root is None else Path(job.image_root),
            training_id=training_id,
            retry_failed=job.retry_failed,
        )
        try:
            evaluation = evaluate(session, request)
        except Exception as error:  # noqa: BLE001 - a benchmark's; the others go on
            errors.append(f"{benchmark.label}: {error_text(error)}")
            continue
        metrics[benchmark.label] = {
            "value": evaluation.measured.value,
            "headline": evaluation.measured.headline,
            "metrics": dict(evaluation.measured.metrics),
            "items": evaluation.items,
            "failed": evaluation.failed,
            "evaluation": evaluation.id,
        }
    return CellResult(training_id, count, metrics, "; ".join(errors) or None, trained=True)


def _train(session: Session, job: CellJob) -> tuple[int | None, int | None, Checkpoint]:
    """Return the training's number, its number of samples, and the checkpoint."""
    if job.take == "none":
        return None, 0, Checkpoint(job.trainer.use, job.trainer.options)
    dataset = session.dataset(job.dataset) if job.take == "all" else None
    request = TrainingRequest(
        job.trainer, job.take, Path(job.output), job.seed, job.missing, overwrite=False
    )
    result = train(session, dataset, request)
    number = result.id
    if number is None:  # the checkpoint was there already
        with session.store.reading() as connection:
            number = ablations.find_training(connection, job.output)
    return number, result.samples, result.checkpoint


@dataclass(slots=True)
class ProgressRelay:
    """Turns the events of a cell's stages into notes on its progress, and passes notices on."""

    label: str
    note: Callable[[str], None]
    notice: Callable[[str], None]
    totals: dict[str, int | None] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    last_note: float = 0.0

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        if isinstance(event, Notice):
            self.notice(event.text)
        elif isinstance(event, StageStarted):
            self.totals[event.stage], self.done[event.stage] = event.total, 0
            self._send_note(event.stage)
        elif isinstance(event, StageAdvanced):
            self.done[event.stage] = self.done.get(event.stage, 0) + event.done
            self._send_note(event.stage)
        elif isinstance(event, StageFinished):
            self.totals.pop(event.stage, None)

    def _send_note(self, stage: str) -> None:
        now = time.monotonic()
        if now - self.last_note < _NOTE_SECONDS:
            return
        self.last_note = now
        total = self.totals.get(stage)
        of = f" of {total:,}" if total else ""
        self.note(f"{self.label}: {stage} {self.done[stage]:,}{of}")


def cell_session(
    store: Store, host: Host, run_id: int | None, relay: Callable[[Event], None]
) -> Session:
    """Return a session for a cell, whose records belong to the ablation's run."""
    return Session(store, host, [relay], run_id=run_id)
