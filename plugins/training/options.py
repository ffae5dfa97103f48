"""Options that all trainers share; each trainer has its own published values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from ig4.core.contracts import Digest, Options
from ig4.core.errors import UsageError
from ig4.core.records import JSON
from ig4.plugins.models import hardware
from ig4.plugins.models.rewardmodels import folder_of

Positive = Annotated[int, Field(ge=1)]

_WITHOUT_EFFECT = {
    "device", "micro_batch_size", "gradient_checkpointing", "save_every", "keep", "workers",
    "report_to", "cache_dir",
}  # fmt: skip
"""Options that change speed or memory, but not the result."""

_MODEL_OPTIONS = {"model", "llm", "vision"}
"""Options that may name a folder or a model on the hub."""


class TrainingOptions(Options):
    """How to train, whatever the model."""

    default_micro_batch: ClassVar[int | None] = None
    """The largest micro-batch of a device without the option `micro_batch_size`."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="Precision of the computation; auto: bf16 or fp16 on a GPU, fp32 on a CPU.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, mps, cuda or cuda:N.",
    )
    quantize: Literal["none", "8bit", "4bit"] = Field(
        "none", description="Keep the frozen language model in 8 or 4 bits (bitsandbytes)."
    )
    micro_batch_size: Positive | None = Field(
        None, description="Samples in memory at a time; a batch consists of several micro-batches."
    )
    gradient_checkpointing: bool = Field(
        default=False, description="Compute activations twice instead of storing them."
    )
    steps: Positive | None = Field(
        None, description="Stop after this number of optimiser steps, whatever the epochs say."
    )
    save_every: Positive = Field(200, description="Steps between saved states.")
    keep: Positive = Field(2, description="Number of saved states to keep while training.")
    workers: Annotated[int, Field(ge=0)] = Field(
        2, description="Processes that read images ahead; 0 reads in the training process."
    )
    report_to: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = Field(
        (), description="Where else to report losses: tensorboard, wandb, mlflow."
    )
    cache_dir: Path | None = Field(None, description="Folder for models from the hub.")

    @property
    def lighter_option(self) -> str | None:
        """The setting, as `-o` takes it, that trains fewer weights; None if there is none."""
        return None

    @property
    def resolved_device(self) -> str:
        """The torch device in use; each of several training processes has its own GPU."""
        found = hardware.device(self.device)
        local = os.environ.get("LOCAL_RANK")
        return f"cuda:{local}" if found == "cuda" and local is not None else found

    @property
    def resolved_precision(self) -> hardware.Precision:
        """The precision in use; on a CPU auto is fp32, which resumes exactly."""
        if self.precision == "auto" and self.resolved_device == "cpu":
            return "fp32"
        return hardware.precision(self.precision, self.resolved_device)

    @field_validator("*", mode="after")
    @classmethod
    def _absolute_paths(cls, value: Any, info: ValidationInfo) -> Any:
        """Make paths absolute: a checkpoint stores its options, and is used from other folders."""
        if isinstance(value, Path):
            return value.expanduser().absolute()
        if info.field_name in _MODEL_OPTIONS and isinstance(value, str) and Path(value).is_dir():
            return str(Path(value).absolute())
        return value

    def training_identity(self, digest: Digest, *models: str) -> Mapping[str, JSON]:
        """Return what a training depends on; paths in the options `models` count by sha256."""
        identity: dict[str, JSON] = self.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
        identity["precision"] = self.resolved_precision
        for name in models:
            path = existing_path(getattr(self, name))
            if path is not None:
                identity[name] = digest(path)
        return identity


def existing_path(name_or_path: str | Path | None) -> Path | None:
    """Return the file or folder that an option names; None for a name on the hub, or for None.

    Raises:
        UsageError: it looks like a path, but does not exist.
    """
    if name_or_path is None:
        return None
    path = (
        Path(name_or_path).expanduser()
        if isinstance(name_or_path, Path)
        else folder_of(name_or_path)
    )
    if path is None and Path(str(name_or_path)).is_file():
        path = Path(str(name_or_path))
    if path is not None and not path.exists():
        raise UsageError(f"{path}: there is no such file or folder")
    return path
