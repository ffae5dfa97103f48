"""The values that trainers work with: jobs, checkpoints, footprints, prompts and decoding.

Only the standard library is imported here, so that listing trainers is fast.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ig4.core.errors import Ig4Error, PrerequisiteError
from ig4.core.files.writing.atomic import rename, sync
from ig4.core.records import JSON, Image, Sample, Turn
from ig4.core.version import __version__

MANIFEST = "ig4_checkpoint.json"
"""The file that makes a folder a checkpoint; it is written last."""


class TrainingError(Ig4Error):
    """Training cannot go on: the loss is not a number, memory ran out, an image is missing."""


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


def _ignore_start(total: int, done: int) -> None:
    return


def _ignore_step(_: TrainingStep) -> None:
    return


def _ignore_notice(_: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What to train on, and where to save it; the model and the method are the trainer's options.

    `samples` are in the order of the selection; the trainer shuffles them by `seed`. `output` is a
    folder for this job alone: it may hold the state of an interrupted training of the same job,
    which then continues. `origin` says where the samples come from (data set, selection, their
    digest) and is saved in the checkpoint unchanged. `started` gets the number of all steps and of
    those done already, `report` every step, `notice` messages for the user.
    """

    samples: Sequence[Sample]
    output: Path
    seed: int = 42
    origin: Mapping[str, JSON] = field(default_factory=dict)
    started: Callable[[int, int], None] = _ignore_start
    report: Callable[[TrainingStep], None] = _ignore_step
    notice: Callable[[str], None] = _ignore_notice


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model: a folder of safetensors, and how and on what they were trained.

    `options` are all options of the trainer, with the model that the weights belong to;
    `metrics` are those of the training (steps, final loss, seconds, memory). `path` is None for
    a model that was not trained: the one that the options name, unchanged.
    """

    trainer: str
    options: Mapping[str, JSON]
    path: Path | None = None
    origin: Mapping[str, JSON] = field(default_factory=dict)
    seed: int | None = None
    metrics: Mapping[str, JSON] = field(default_factory=dict)
    version: str = __version__

    def save(self, path: Path) -> Checkpoint:
        """Make a folder that has the weights already a checkpoint, by writing its manifest."""
        saved = replace(self, path=path)
        kept = asdict(saved)
        del kept["path"]
        partial = path / f"{MANIFEST}.partial"
        partial.write_text(json.dumps({"ig4": kept.pop("version"), **kept}, indent=2) + "\n",
                           encoding="utf-8")  # fmt: skip
        sync(path)  # a manifest says that the weights are there
        rename(partial, path / MANIFEST)
        return saved

    @classmethod
    def read(cls, path: Path) -> Checkpoint:
        """Read the manifest of a checkpoint folder.

        Raises:
            PrerequisiteError: it is not a checkpoint, or was not finished.
        """
        file = path / MANIFEST
        try:
            manifest = json.loads(file.read_text(encoding="utf-8"))
            return cls(
                trainer=str(manifest["trainer"]),
                options=dict(manifest["options"]),
                path=path,
                origin=dict(manifest["origin"]),
                seed=manifest["seed"],
                metrics=dict(manifest["metrics"]),
                version=str(manifest["ig4"]),
            )
        except FileNotFoundError:
            reason = "it was not finished" if (path / "state").is_dir() else f"it has no {MANIFEST}"
            raise PrerequisiteError(f"{path} is not a checkpoint: {reason}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise PrerequisiteError(f"{file} cannot be read: {error}") from None


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a training would take, computed without loading weights.

    `parameters` counts them by part of the model, `trained` those that are trained; `memory` is
    in bytes, by purpose, on each device; `steps` of the optimiser, each of `batch` samples.
    """

    parameters: Mapping[str, int]
    trained: int
    memory: Mapping[str, int]
    steps: int
    batch: int
    notes: Sequence[str] = ()


UNREADABLE = "an image cannot be read"
REFUSED = "the model's processor or template refuses them"
NO_ANSWER_LEFT = "no token of an answer is left"
"""The reasons of `SampleCheck` that ig4's own trainers give."""


@dataclass(frozen=True, slots=True)
class SampleCheck:
    """What a trainer would do with one sample: refuse it, cut its answers, or neither.

    `problem` says why the sample cannot be trained on, None if it can; `reason` is the kind of
    the problem, in words by which samples are counted. `cut` is the number of tokens at the end of
    its answers that would not be learned, and `limit` the option that cuts them
    ("hf.max_length").
    """

    problem: str | None = None
    reason: str = ""
    cut: int = 0
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt for a model: turns, of which the last is the user's, and the images shown."""

    id: str
    turns: tuple[Turn, ...]
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoding:
    """How answers are decoded; None means the trainer's own default for it.

    With `temperature` 0 the most probable token is taken. Random numbers come from `seed` and the
    id of the prompt alone, so that an answer does not depend on the rest of its batch.
    """

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    num_beams: int | None = None
    repetition_penalty: float | None = None
    batch_size: int = 8
    seed: int = 42
