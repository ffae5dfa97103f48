"""What trainers work with: the job, the checkpoint that comes out, and what it is asked.

Only the standard library is imported here, so that listing trainers costs nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ig4.core.errors import Ig4Error, PrerequisiteError
from ig4.core.records import JSON, Image, Sample, Turn
from ig4.core.version import __version__

MANIFEST = "ig4_checkpoint.json"
"""The file that makes a folder a checkpoint; it is written last."""


class TrainingError(Ig4Error):
    """Training cannot go on: the loss is no number, memory ran out, an image is gone."""


class TrainingStep(NamedTuple):
    """One step of the optimiser; `loss` is the mean over its tokens, before the update."""

    step: int  # from 1
    epoch: float
    loss: float
    learning_rate: float
    grad_norm: float | None
    seconds: float


def is_main_process() -> bool:
    """Tell whether this process is the one that writes, of several that train together."""
    return int(os.environ.get("RANK", "0")) == 0


def _start_nothing(total: int, done: int) -> None:
    return


def _ignore(_: TrainingStep) -> None:
    return


def _say_nothing(_: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What a trainer is to train on, and where; the model and how are the trainer's options.

    `samples` are in the order of the selection; shuffling is the trainer's, by `seed`. `output`
    is a folder of the trainer's own: it may hold what an interrupted training of the same job
    left, which is then continued. `origin` tells where the samples come from (data set,
    selection, their digest) and goes into the checkpoint as it is. `started` is told of all steps
    and of those done already, `report` of every step, `notice` of what a user should know.
    """

    samples: Sequence[Sample]
    output: Path
    seed: int = 42
    origin: Mapping[str, JSON] = field(default_factory=dict)
    started: Callable[[int, int], None] = _start_nothing
    report: Callable[[TrainingStep], None] = _ignore
    notice: Callable[[str], None] = _say_nothing


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model: a folder of safetensors, and what they were trained with and on.

    `options` are all options of the trainer, with the model that the weights belong to;
    `metrics` what came out (steps, final loss, seconds, memory). `path` is None for a model
    that was not trained: the one the options name, as it is.
    """

    trainer: str
    options: Mapping[str, JSON]
    path: Path | None = None
    origin: Mapping[str, JSON] = field(default_factory=dict)
    seed: int | None = None
    metrics: Mapping[str, JSON] = field(default_factory=dict)
    version: str = __version__

    def save(self, path: Path) -> Checkpoint:
        """Make a folder, whose weights are written already, a checkpoint."""
        saved = replace(self, path=path)
        kept = asdict(saved)
        del kept["path"]
        partial = path / f"{MANIFEST}.partial"
        partial.write_text(json.dumps({"ig4": kept.pop("version"), **kept}, indent=2) + "\n",
                           encoding="utf-8")  # fmt: skip
        os.replace(partial, path / MANIFEST)  # noqa: PTH105 - Path.replace says the same
        return saved

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read what a checkpoint folder says of itself.

        Raises:
            PrerequisiteError: it is none, or was not finished.
        """
        file = path / MANIFEST
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                trainer=str(said["trainer"]),
                options=dict(said["options"]),
                path=path,
                origin=dict(said["origin"]),
                seed=said["seed"],
                metrics=dict(said["metrics"]),
                version=str(said["ig4"]),
            )
        except FileNotFoundError:
            why = "it was not finished" if (path / "state").is_dir() else f"it has no {MANIFEST}"
            raise PrerequisiteError(f"{path} is no checkpoint: {why}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PrerequisiteError(f"{file} cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a training would take, known without loading weights.

    `parameters` counts them by part of the model, `trained` those that learn; `memory` is in
    bytes, by what it is for, on each device; `steps` of the optimiser, each of `batch` samples.
    """

    parameters: Mapping[str, int]
    trained: int
    memory: Mapping[str, int]
    steps: int
    batch: int
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something a model is asked: turns of which the last is the user's, and the images shown."""

    id: str
    turns: tuple[Turn, ...]
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoding:
    """How answers are decoded; None means the trainer's own default for it.

    With `temperature` 0 the most probable token is taken. Chance comes from `seed` and the id of
    the prompt alone, so that an answer does not depend on what else is in its batch.
    """

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    num_beams: int | None = None
    repetition_penalty: float | None = None
    batch_size: int = 8
    seed: int = 42
