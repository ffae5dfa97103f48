"""Trains, and learns from trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core import config as configuration
from ig4.core.api.arguments import names, options_by_name, options_of
from ig4.core.api.sessions import open_session
from ig4.core.engine.ablating.ablate import ablate as ablate_arms
from ig4.core.engine.ablating.result import AblationResult
from ig4.core.engine.learning.learn import learn_weights as learn_of_subsets
from ig4.core.engine.learning.recipe import write_recipe
from ig4.core.engine.learning.result import LearningResult
from ig4.core.engine.training.train import TrainingResult
from ig4.core.engine.training.train import train as train_on
from ig4.core.engine.training.trainingset import TrainingRequest
from ig4.core.files.writing.staging import check_target
from ig4.core.limits import SEED
from ig4.core.records import Choice
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener


def train(
    db: str | Path | Store = DEFAULT,
    *,
    trainer: str = "minigpt4",
    options: Mapping[str, Any] | None = None,
    selection: int | str = "last",
    dataset: str | None = None,
    out: str | Path | None = None,
    seed: int = 42,
    missing: str = "error",
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> TrainingResult:
    """Do what `ig4 train` does: fine-tune a model on a selection; `options` are the trainer's.

    Raises:
        Ig4Error: the request is wrong, the trainer refuses samples, or the training cannot go on.
        StorageError: there is no such database.
    """
    SEED.check("seed", seed)
    request = TrainingRequest(
        trainer=Choice("trainer", trainer, options_of("options", options)),
        selection=str(selection),
        output=None if out is None else Path(out),
        seed=seed,
        missing=missing,
    )
    with open_session(db, listeners, progress=progress) as session:
        return train_on(session, session.dataset(dataset) if dataset else None, request)


def ablate(
    db: str | Path | Store = DEFAULT,
    *,
    benchmarks: Mapping[str, Mapping[str, Any]],
    trainer: str | None = None,
    options: Mapping[str, Any] | None = None,
    arms: str | Sequence[str] | None = None,
    seeds: int = 5,
    size: int | None = None,
    jobs: int | None = None,
    dataset: str | None = None,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> AblationResult:
    """Do what `ig4 ablate` does: train and evaluate each arm with several seeds, and compare.

    `benchmarks` have their options by name: `{"vqa": {"questions": "test.jsonl"}}`; `options` are
    the trainer's. Further keywords are tables of `ig4.toml`: `select={"scale": "minmax"}`,
    `ablate={"keep_checkpoints": True}`. No file is read.

    Raises:
        Ig4Error: the request is wrong, or no arm can be prepared.
        StorageError: there is no such database.
    """
    named = options_by_name("benchmarks", benchmarks)
    config = configuration.build(
        tables,
        {
            "benchmarks": named,
            "trainers": {trainer or "minigpt4": options_of("options", options)},
            "ablate": {
                "benchmarks": list(named),
                "trainer": trainer,
                "compare": names("arms", arms),
                "seeds": seeds,
                "size": size,
                "jobs": jobs,
            },
        },
    )
    with open_session(db, listeners, progress=progress) as session:
        return ablate_arms(session, session.dataset(dataset), config)


def learn_weights(
    db: str | Path | Store = DEFAULT,
    *,
    benchmarks: Mapping[str, Mapping[str, Any]],
    trainer: str | None = None,
    options: Mapping[str, Any] | None = None,
    indicators: str | Sequence[str] | None = None,
    subsets: int | None = None,
    size: int | None = None,
    jobs: int | None = None,
    dataset: str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 42,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
    **tables: Any,
) -> LearningResult:
    """Do what `ig4 learn-weights` does: train on subsets of different quality, and regress.

    `benchmarks` ask development questions, and have their options by name, as in `ablate`;
    `options` are the trainer's. Further keywords are tables of `ig4.toml`: `learn={"within":
    "none"}`. No file is read; the recipe is written to `out`, if that is given.

    Raises:
        Ig4Error: the request is wrong, questions are those of a test, or too few subsets have a
            result.
        StorageError: there is no such database.
    """
    named = options_by_name("benchmarks", benchmarks)
    config = configuration.build(
        tables,
        {
            "run": {"seed": seed},
            "benchmarks": named,
            "trainers": {trainer or "minigpt4": options_of("options", options)},
            "ablate": {"jobs": jobs},
            "learn": {
                "benchmarks": list(named),
                "trainer": trainer,
                "indicators": names("indicators", indicators),
                "subsets": subsets,
                "size": size,
            },
        },
    )
    target = None if out is None else Path(out)
    if target is not None:
        check_target(target, overwrite=overwrite, is_file=True)  # before hours of training
    with open_session(db, listeners, progress=progress) as session:
        result = learn_of_subsets(session, session.dataset(dataset), config)
    if target is not None:
        write_recipe(result, target, overwrite=overwrite)
    return result
