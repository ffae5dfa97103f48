"""Configures the trainer of each arm: its options, and how many steps it takes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Trainer
from ig4.core.contracts.training import TrainingJob
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.errors import UsageError
from ig4.core.host.fingerprint import digest_of
from ig4.storage import samples

if TYPE_CHECKING:
    from ig4.core.contracts.training import Footprint
    from ig4.core.engine.ablating.arms.arm import Arm
    from ig4.core.engine.ablating.setup import AblationSetup
    from ig4.core.records import Choice


@dataclass(slots=True)
class ArmTrainers:
    """The trainer of an ablation, with the options of each arm."""

    setup: AblationSetup
    trainer: Choice
    _footprints: dict[tuple[str, int], Footprint | None] = field(default_factory=dict)

    def of_arm(self, arm: Arm, size: int) -> Choice:
        """Return the trainer with an arm's options for `size` samples.

        With `steps` in the configuration, it takes just so many, and more epochs where those of
        its options are too few for that.

        Raises:
            UsageError: `steps` is set, and the trainer has no such option.
        """
        choice = replace(self.trainer, options={**self.trainer.options, **arm.options})
        steps = self.setup.config.ablate.steps
        if steps is None:
            return choice
        host = self.setup.session.host
        known = host.load("trainer", choice.use).Options.model_fields
        if "steps" not in known:
            raise UsageError(f"trainer {choice.label} has no option `steps`: leave --steps away")
        choice = replace(choice, options={**choice.options, "steps": steps})
        if size < 2 or "epochs" not in known:
            return choice
        footprint = self._footprint(choice, size)
        if footprint is None or footprint.steps >= steps:
            return choice
        epochs = int(getattr(host.build(choice).options, "epochs", 1))
        needed = -(-epochs * steps // max(footprint.steps, 1))
        return replace(choice, options={**choice.options, "epochs": needed})

    def footprint(self, arm: Arm, size: int) -> Footprint | None:
        """Return what training on `size` samples takes, None where the trainer does not say."""
        return self._footprint(self.of_arm(arm, size), size)

    def _footprint(self, choice: Choice, size: int) -> Footprint | None:
        key = (digest_of(dict(choice.options)), size)
        if key not in self._footprints:
            session = self.setup.session
            trainer = cast("Trainer", session.configured(choice).component)
            with session.store.reading() as connection:
                rows = list(islice(samples.stream(connection, self.setup.dataset.id), size))
            # The number of steps depends on how many samples there are, not on which.
            job = TrainingJob([sample_of(row) for row in rows], self.setup.config.ablate.output)
            self._footprints[key] = trainer.footprint(job)
        return self._footprints[key]
