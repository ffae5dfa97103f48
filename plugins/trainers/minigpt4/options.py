"""Options of the `minigpt4` trainer; the defaults are the published second stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ig4.plugins.training.options import Positive, TrainingOptions

Rate = Annotated[float, Field(ge=0)]


class MiniGPT4Options(TrainingOptions):
    """Where MiniGPT-4's parts are, and how its projection is trained."""

    llm: str = Field(
        "Vision-CAIR/vicuna-7b",
        description="The language model: a folder, or a name on the Hugging Face hub.",
    )
    vit: Path | None = Field(None, description="EVA ViT-g, the original eva_vit_g.pth.")
    qformer: Path | None = Field(
        None, description="Q-Former and ln_vision, the original blip2_pretrained_flant5xxl.pth."
    )
    model: Path | None = Field(
        None, description="A folder that ig4 saved, instead of vit, qformer and checkpoint."
    )
    checkpoint: Path | None = Field(
        None,
        description="The projection to start from: the original's .pth, or a checkpoint of ig4.",
    )
    prompts: Literal["auto", "published", "own"] = Field(
        "auto",
        description="One of the four published instructions for each batch, or the samples' own; "
        "auto takes the published ones if no sample says anything else.",
    )
    crop: bool = Field(default=True, description="Train on random crops (RandomResizedCrop 0.5-1).")
    epochs: Positive = Field(5, description="Epochs, of `steps_per_epoch` steps each.")
    steps_per_epoch: Positive = Field(200, description="Steps that count as an epoch.")
    batch_size: Positive = Field(12, description="Samples in a step, on all devices together.")
    learning_rate: Rate = Field(3e-5, description="The highest learning rate.")
    min_learning_rate: Rate = Field(1e-5, description="The learning rate at the end.")
    warmup_learning_rate: Rate = Field(1e-6, description="The learning rate of the first step.")
    warmup_steps: Annotated[int, Field(ge=0)] = Field(200, description="Steps of the warm-up.")
    weight_decay: Rate = Field(0.05, description="AdamW's, not for biases and norms.")
    max_answer_tokens: Positive = Field(
        160, description="Answers are cut to this number of tokens."
    )
    complete: bool = Field(
        default=False,
        description="Save vision tower and Q-Former too, as another training's `model`.",
    )
