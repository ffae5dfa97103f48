"""Where plugins import what trainers work with; it is defined in `core/contracts/`."""

from ig4.core.contracts.training import (
    MANIFEST,
    Checkpoint,
    Decoding,
    Footprint,
    Prompt,
    TrainingError,
    TrainingJob,
    TrainingStep,
    is_main_process,
)

__all__ = [
    "MANIFEST",
    "Checkpoint",
    "Decoding",
    "Footprint",
    "Prompt",
    "TrainingError",
    "TrainingJob",
    "TrainingStep",
    "is_main_process",
]
