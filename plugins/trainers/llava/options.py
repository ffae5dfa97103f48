"""Options of the `llava` trainer; the defaults are the published values of each stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from ig4.plugins.training.options import Positive, TrainingOptions
from ig4.plugins.training.trainable import LoraSettings, TrainableParts


class PublishedRecipe(NamedTuple):
    """The settings of LLaVA-1.5's scripts for a stage."""

    trainable: TrainableParts
    learning_rate: float
    projector_learning_rate: float | None
    batch_size: int


PUBLISHED = {
    "pretrain": PublishedRecipe("projector", 1e-3, None, 256),
    "full": PublishedRecipe("full", 2e-5, None, 128),
    "lora": PublishedRecipe("lora", 2e-4, 2e-5, 128),
}


class LlavaOptions(TrainingOptions):
    """Where LLaVA's parts are, and how they are trained."""

    default_micro_batch = 16  # that of the published scripts on each of eight GPUs

    stage: Literal["pretrain", "full", "lora"] = Field(
        "lora", description="Stage 1 (projector), or stage 2 with all or with adapters."
    )
    model: str = Field(
        "llava-hf/llava-1.5-7b-hf",
        description="A LLaVA: a folder, or a name on the Hugging Face hub.",
    )
    llm: str | None = Field(
        None, description="Instead of `model`: the language model, such as lmsys/vicuna-7b-v1.5."
    )
    vision: str = Field(
        "openai/clip-vit-large-patch14-336", description="With `llm`: the vision tower."
    )
    projector: Path | None = Field(
        None, description="The projector of stage 1: mm_projector.bin, or a checkpoint of ig4."
    )
    epochs: Positive = Field(1, description="How often each sample is seen.")
    batch_size: Positive | None = Field(
        None, description="Samples in a step, on all devices together: 256 in stage 1, then 128."
    )
    learning_rate: Annotated[float, Field(ge=0)] | None = Field(
        None, description="The highest: 1e-3 in stage 1, 2e-5 for full, 2e-4 for LoRA."
    )
    projector_learning_rate: Annotated[float, Field(ge=0)] | None = Field(
        None, description="The projector's own: 2e-5 beside LoRA."
    )
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        0.03, description="Share of the steps in which the rate grows."
    )
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.0, description="AdamW's.")
    max_length: Positive = Field(2048, description="Tokens of a sample, its images included.")
    lora_r: Positive = Field(128, description="Rank of the adapters.")
    lora_alpha: Positive = Field(256, description="Scale of the adapters.")
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="Dropout in front of the adapters."
    )

    @property
    def lighter_option(self) -> str | None:
        """See `TrainingOptions.lighter_option`."""
        return "stage=lora" if self.stage == "full" else None

    @property
    def published(self) -> PublishedRecipe:
        """The published values of the stage, overridden by the user's."""
        usual = PUBLISHED[self.stage]
        own = self.projector_learning_rate
        return PublishedRecipe(
            usual.trainable,
            usual.learning_rate if self.learning_rate is None else self.learning_rate,
            usual.projector_learning_rate if own is None else own,
            self.batch_size or usual.batch_size,
        )

    @property
    def lora(self) -> LoraSettings:
        """The adapters."""
        return LoraSettings(self.lora_r, self.lora_alpha, self.lora_dropout)
