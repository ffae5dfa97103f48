"""What a training is to do: on which examples, in which order, at which rates, in which pieces."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from torch.utils.data import Dataset

    from ig4.plugins.training.options import TrainingOptions


@dataclass(slots=True)
class Plan:
    """What to train, on what, in which order and at which rates.

    `examples` holds every example to be seen, in order, with repetitions; the last of the `steps`
    may have fewer than `batch` of them. `rate` is the factor on each group's learning rate at a
    step (from 0). `seeing` are the parameters that learn and that only images reach. `epoch_ended`
    is told the number of an epoch (from 0) once it is over, or the training with it, and the states
    of optimiser and fp16's scaler. `masks` says why all of a sample may be masked.
    """

    name: str
    model: nn.Module
    examples: Dataset[Any]
    collate: Callable[[Sequence[Any]], dict[str, Any]]
    groups: Sequence[Mapping[str, Any]]
    rate: Callable[[int], float]
    steps: int
    batch: int
    steps_per_epoch: float
    clip: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    seeing: Sequence[nn.Parameter] = ()
    masks: str = ""
    epoch_ended: Callable[[int, Mapping[str, Any], Mapping[str, Any] | None], None] | None = None


def processes() -> int:
    """Return how many processes train together (`accelerate launch`)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def shares(batch: int, options: TrainingOptions, *, name: str) -> tuple[int, int]:
    """Return (samples a device takes at a time, how often before a step) for a batch.

    Where the user says nothing, it is the largest share up to what is usual for the trainer.

    Raises:
        UsageError: the batch cannot be dealt out evenly.
    """
    world = processes()
    if batch % world:
        raise UsageError(f"a batch of {batch} cannot be dealt to {world} processes evenly")
    own = batch // world
    micro = options.micro_batch_size
    if micro is None:
        usual = options.usual_micro_batch or own
        size = max(n for n in range(1, min(usual, own) + 1) if own % n == 0)
    else:
        size = min(micro, own)
    if own % size:
        fitting = ", ".join(str(n) for n in range(1, own + 1) if own % n == 0)
        raise UsageError(
            f"{name}.micro_batch_size = {micro} does not divide the batch of {own}: take {fitting}"
        )
    return size, own // size
