"""The plan of a training: examples, their order, learning rates, and how batches are split."""

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
class TrainingPlan:
    """What to train, on what, in which order and at which rates.

    `examples` holds every example to be seen, in order, with repetitions; the last of the `steps`
    may have fewer than `batch` of them. `rate` is the factor on each group's learning rate at a
    step (from 0). `image_parameters` learn, and only images reach them. `on_epoch_end` gets the
    number of an epoch (from 0) when the epoch or the training ends, and the states of the optimiser
    and of fp16's gradient scaler. `mask_reason` says why all of a sample may be masked.
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
    max_grad_norm: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    image_parameters: Sequence[nn.Parameter] = ()
    mask_reason: str = ""
    on_epoch_end: Callable[[int, Mapping[str, Any], Mapping[str, Any] | None], None] | None = None


def process_count() -> int:
    """Return how many processes train together (`accelerate launch`)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def split_batch(batch: int, options: TrainingOptions, *, name: str) -> tuple[int, int]:
    """Return (samples in a device's micro-batch, micro-batches of it in a step) for a batch.

    Without the option `micro_batch_size` it is the largest that divides the batch, up to the
    trainer's default.

    Raises:
        UsageError: the batch cannot be split evenly.
    """
    world = process_count()
    if batch % world:
        raise UsageError(f"a batch of {batch} cannot be split evenly among {world} processes")
    own = batch // world
    micro = options.micro_batch_size
    if micro is None:
        usual = options.default_micro_batch or own
        size = max(n for n in range(1, min(usual, own) + 1) if own % n == 0)
    else:
        size = min(micro, own)
    if own % size:
        fitting = ", ".join(str(n) for n in range(1, own + 1) if own % n == 0)
        raise UsageError(
            f"{name}.micro_batch_size = {micro} does not divide the batch of {own}: take {fitting}"
        )
    return size, own // size
