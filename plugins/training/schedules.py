"""Learning rate schedules, as factors like those of transformers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CosineSchedule:
    """A linear warm-up from 0 over a share of the steps, then half a cosine down to 0."""

    steps: int
    warmup_ratio: float = 0.03

    def __call__(self, step: int) -> float:
        """Return the factor at a step, counted from 0."""
        warmup = math.ceil(self.steps * self.warmup_ratio)
        if step < warmup:
            return step / max(1, warmup)
        done = (step - warmup) / max(1, self.steps - warmup)
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * done)))
