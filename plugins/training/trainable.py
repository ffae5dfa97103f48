"""Which parts of a vision-language model are trained. Without torch, because options need it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TrainableParts = Literal["projector", "lora", "full"]
"""The projector alone; the projector and LoRA adapters; the projector and the language model."""


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Low-rank adapters on all linear layers of the language model except its head."""

    r: int
    alpha: int
    dropout: float
