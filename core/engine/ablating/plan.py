"""Plans an ablation: what each arm selects, and which models are trained for that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.engine.ablating.arms.arm import REFERENCE, Arm
from ig4.core.engine.ablating.arms.requests import ArmRequests
from ig4.core.engine.ablating.arms.selections import ArmSamples, ArmSelections
from ig4.core.engine.ablating.arms.trainers import ArmTrainers
from ig4.core.engine.ablating.cells.tasks import AblationTask, TaskFactory, merge
from ig4.core.errors import Ig4Error
from ig4.core.records import Choice

if TYPE_CHECKING:
    from ig4.core.contracts.training import Footprint
    from ig4.core.engine.ablating.setup import AblationSetup


@dataclass(frozen=True, slots=True)
class AblationPlan:
    """The tasks in their order, and the arms that cannot be prepared, with the reason."""

    tasks: tuple[AblationTask, ...]
    broken: Mapping[str, Ig4Error]


class ArmPlanner:
    """Prepares the arms of an ablation on one data set; selections are stored as they are made."""

    def __init__(
        self,
        setup: AblationSetup,
        trainer: Choice,
        benchmarks: Sequence[Choice],
        seeds: Sequence[int],
    ) -> None:
        self.trainer = trainer
        self.benchmarks = benchmarks
        self.seeds = seeds
        self._setup = setup
        self._trainers = ArmTrainers(setup, trainer)
        self._selections = ArmSelections(setup, ArmRequests(setup))

    def plan(self, arms: Sequence[Arm]) -> AblationPlan:
        """Select for every arm and seed.

        The reference comes last, so that its selection is the newest one afterwards, which
        `--selection last` means.

        Raises:
            Ig4Error: no arm can be prepared, or a component's name or options are wrong.
        """
        tasks = TaskFactory(self._setup, self.benchmarks)
        samples: dict[str, dict[int, ArmSamples]] = {}
        broken: dict[str, Ig4Error] = {}
        for arm in sorted(arms, key=lambda one: one.name == REFERENCE):
            try:
                self._setup.session.configured(self._trainers.of_arm(arm, 1))
                samples[arm.name] = self._selections.select(arm, self.seeds)
            except Ig4Error as error:
                broken[arm.name] = error
        if len(broken) == len(arms):
            raise next(iter(broken.values()))

        def task(arm: Arm, seed: int) -> AblationTask:
            own = samples[arm.name][seed]
            return tasks.make(arm, seed, own, self._trainers.of_arm(arm, len(own.contents)))

        prepared = [arm for arm in arms if arm.name in samples]
        return AblationPlan(
            merge(task(arm, seed) for seed in self.seeds for arm in prepared), broken
        )

    def sizes(self, arms: Sequence[Arm]) -> dict[str, int | Ig4Error]:
        """Return how many samples each arm trains on, or why that is unknown; selects nothing."""
        sizes: dict[str, int | Ig4Error] = {}
        for arm in arms:
            try:
                sizes[arm.name] = self._selections.size(arm, self.seeds[0])
            except Ig4Error as error:
                sizes[arm.name] = error
        return sizes

    def footprint(self, arm: Arm, size: int) -> Footprint | None:
        """Return what training on so many samples takes, None where the trainer does not say."""
        return self._trainers.footprint(arm, size)
