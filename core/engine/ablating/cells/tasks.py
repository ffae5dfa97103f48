"""Makes the tasks of an ablation: each model is trained and evaluated once for all its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, cast

from ig4.core.engine.ablating.cells.cell import CellJob, decoding
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.host.fingerprint import digest_of
from ig4.core.records import JSON, Choice

if TYPE_CHECKING:
    from ig4.core.engine.ablating.arms.arm import Arm
    from ig4.core.engine.ablating.arms.selections import ArmSamples
    from ig4.core.engine.ablating.setup import AblationSetup


class CellKey(NamedTuple):
    """A cell: an arm with a seed, and the selection of its own that it trains on."""

    arm: str
    seed: int
    selection: int | None


@dataclass(frozen=True, slots=True)
class AblationTask:
    """A model to train and evaluate once, for all cells with the same samples."""

    key: str
    job: CellJob
    cells: tuple[CellKey, ...]
    samples: int
    keys: Mapping[str, str]
    """By benchmark, a digest of all that its result depends on."""


class TaskFactory:
    """Makes the task of an arm with a seed; the fingerprints of the benchmarks are read once."""

    def __init__(self, setup: AblationSetup, benchmarks: Sequence[Choice]) -> None:
        self._setup = setup
        self._benchmarks = tuple(benchmarks)
        self._fingerprints = {
            choice.label: setup.session.configured(choice).fingerprint.value
            for choice in benchmarks
        }

    def make(self, arm: Arm, seed: int, samples: ArmSamples, trainer: Choice) -> AblationTask:
        """Return the task that trains `trainer` on the samples of an arm."""
        config = self._setup.config
        section, dataset = config.ablate, self._setup.dataset
        key = self._model_key(arm, seed, samples, trainer)
        root = None if section.image_root is None else str(section.image_root)
        take = "all" if samples.selection is None else str(samples.selection)
        job = CellJob(
            dataset_id=dataset.id,
            dataset=dataset.name,
            label=f"{arm.name}, seed {seed}",
            take="none" if arm.take == "none" else take,
            trainer=trainer,
            seed=seed,
            output=str((section.output / folder_name(dataset.name) / key[:16]).absolute()),
            missing=config.train.missing,
            benchmarks=self._benchmarks,
            limit=section.limit,
            batch_size=section.batch_size,
            image_root=root,
            retry_failed=section.retry_failed,
        )
        cell = CellKey(arm.name, seed, samples.selection)
        keys = self._benchmark_keys(key, job)
        return AblationTask(key, job, (cell,), len(samples.contents), keys)

    def _model_key(self, arm: Arm, seed: int, samples: ArmSamples, trainer: Choice) -> str:
        """Return a digest of all that the trained model depends on."""
        fingerprint = self._setup.session.configured(trainer).fingerprint.value
        if arm.take == "none":
            return digest_of([fingerprint, seed, "untrained"])
        return digest_of([fingerprint, samples.contents, seed, self._setup.config.train.missing])

    def _benchmark_keys(self, model_key: str, job: CellJob) -> dict[str, str]:
        """Return, by benchmark, a digest of all that its result depends on."""
        settings = asdict(decoding(job.seed, job.batch_size))
        del settings["batch_size"]
        return {
            name: digest_of(
                [model_key, fingerprint, cast("JSON", settings), job.limit, job.image_root]
            )
            for name, fingerprint in self._fingerprints.items()
        }


def merge(tasks: Iterable[AblationTask]) -> tuple[AblationTask, ...]:
    """Return the tasks in their order, those of one model as one with the cells of all."""
    merged: dict[str, AblationTask] = {}
    for task in tasks:
        first = merged.get(task.key, replace(task, cells=()))
        merged[task.key] = replace(first, cells=(*first.cells, *task.cells))
    return tuple(merged.values())
