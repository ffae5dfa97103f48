"""Options of the `hf` trainer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ig4.plugins.training.options import Positive, TrainingOptions
from ig4.plugins.training.trainable import LoraSettings

_RATES = {"projector": 1e-3, "lora": 1e-4, "full": 1e-5}


class HuggingFaceOptions(TrainingOptions):
    """Which model, and how it is trained."""

    default_micro_batch = 2

    model: str = Field(
        "Qwen/Qwen2.5-VL-3B-Instruct",
        description="An image-text-to-text model: a folder, or a name on the Hugging Face hub.",
    )
    trains: Literal["projector", "lora", "full"] = Field(
        "lora",
        description="What is trained: the projector, LoRA and it, or all but the vision tower.",
    )
    projector: str | None = Field(
        None,
        description="Regular expression on the projector's module names, if ig4 does not know it.",
    )
    epochs: Positive = Field(3, description="How often each sample is seen.")
    batch_size: Positive = Field(16, description="Samples in a step, on all devices together.")
    learning_rate: Annotated[float, Field(ge=0)] | None = Field(
        None, description="The highest: 1e-3 for the projector, 1e-4 for LoRA, 1e-5 for full."
    )
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        0.03, description="Share of the steps in which the rate grows."
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="AdamW's.")
    max_grad_norm: Annotated[float, Field(ge=0)] = Field(
        1.0, description="Maximum norm of the gradient; 0 does not clip it."
    )
    max_length: Positive = Field(
        4096,
        description="Longer samples, tokens of images included, lose the end of their answers.",
    )
    max_pixels: Positive | None = Field(
        None, description="Larger images are scaled down to this number of pixels."
    )
    packing: bool = Field(
        default=False,
        description="Put the samples of a batch into one row, without padding; ig4 first checks "
        "that the model keeps them apart.",
    )
    system: str | None = Field(None, description="A system message in front of every sample.")
    lora_r: Positive = Field(16, description="Rank of the adapters.")
    lora_alpha: Positive = Field(32, description="Scale of the adapters.")
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="Dropout in front of the adapters."
    )

    @property
    def lighter_option(self) -> str | None:
        """See `TrainingOptions.lighter_option`."""
        return "trains=lora" if self.trains == "full" else None

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        return _RATES[self.trains] if self.learning_rate is None else self.learning_rate

    @property
    def lora(self) -> LoraSettings:
        """The adapters."""
        return LoraSettings(self.lora_r, self.lora_alpha, self.lora_dropout)
