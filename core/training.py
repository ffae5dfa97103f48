"""Where plugins import what trainers work with; it is defined in `core/contracts/`."""

from ig4.core.contracts.training import (
    MANIFEST,
    NO_ANSWER_LEFT,
    REFUSED,
    UNREADABLE,
    Checkpoint,
    Decoding,
    Footprint,
    Prompt,
    SampleCheck,
    TrainingError,
    TrainingJob,
    TrainingStep,
    is_main_process,
)

__all__ = [
    "MANIFEST",
    "NO_ANSWER_LEFT",
    "REFUSED",
    "UNREADABLE",
    "Checkpoint",
    "Decoding",
    "Footprint",
    "Prompt",
    "SampleCheck",
    "TrainingError",
    "TrainingJob",
    "TrainingStep",
    "is_main_process",
]
