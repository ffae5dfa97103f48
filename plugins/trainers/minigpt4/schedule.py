"""MiniGPT-4's learning rate: a warm-up that counts within the epoch, then a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WarmupCosine:
    """The rate before each step; the published second stage by default.

    For the first `warmup_steps` steps the rate grows from `warmup` by the number of the step
    *within its epoch*; after that it is a half cosine over all steps, as if there had been no
    warm-up.
    """

    peak: float = 3e-5
    least: float = 1e-5
    warmup: float = 1e-6
    warmup_steps: int = 200
    steps_per_epoch: int = 200
    epochs: int = 5

    @property
    def steps(self) -> int:
        """All steps of the schedule."""
        return self.epochs * self.steps_per_epoch

    def __call__(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            within = step % self.steps_per_epoch
            climb = (self.peak - self.warmup) * within / max(self.warmup_steps, 1)
            return min(self.peak, self.warmup + climb)
        wave = 1.0 + math.cos(math.pi * step / self.steps)
        return (self.peak - self.least) * 0.5 * wave + self.least
