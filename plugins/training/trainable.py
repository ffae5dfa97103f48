"""What of a vision-language model learns; apart from torch, for options name it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TrainableParts = Literal["projector", "lora", "full"]
"""What learns: the projector alone; it and low-rank adapters; it and the language model."""


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Low-rank adapters, on all linear layers of the language model but its head."""

    r: int
    alpha: int
    dropout: float
