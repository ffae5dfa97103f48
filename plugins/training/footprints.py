"""The footprint of training a vision-language model of transformers, before it is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from ig4.core.contracts.training import Footprint
from ig4.plugins.training import memory
from ig4.plugins.training.options import TrainingOptions
from ig4.plugins.training.parts import (
    language_name,
    linear_names,
    projector_names,
    set_trainable,
)
from ig4.plugins.training.plan import split_batch
from ig4.plugins.training.trainable import LoraSettings, TrainableParts


def footprint(
    model: Any,
    options: TrainingOptions,
    *,
    name: str,
    trainable: TrainableParts,
    lora: LoraSettings,
    batch: int,
    steps: int,
    length: int,
    pattern: str | None = None,
    notes: Sequence[str] = (),
) -> Footprint:
    """Return the footprint of a model on the `meta` device; LoRA's adapters are counted, not made.

    `length` is the assumed number of tokens of a sample, including those of its images.
    """
    parts = _parameters_by_part(model, pattern)
    total = sum(one.numel() for one in model.parameters())
    adapters = 0
    if trainable == "lora":
        adapters = _adapter_parameters(model, lora, pattern)
        parts["adapters"] = adapters
        trained = adapters + parts["projector"]
    else:
        prepared, _ = set_trainable(model, trainable, lora=lora, pattern=pattern)
        trained = memory.trained_parameters(prepared)
    micro, _ = split_batch(batch, options, name=name)
    kind = options.resolved_precision if options.quantize == "none" else options.quantize
    frozen = max(0, total - (trained - adapters))
    return Footprint(
        parameters=parts,
        trained=trained,
        memory={
            f"frozen weights ({kind})": int(memory.BYTES[kind] * frozen),
            "weights that learn (fp32)": 4 * trained,
            "gradients and AdamW": memory.optimizer_bytes(trained),
            f"activations of {micro} samples of {length} tokens, about": memory.activation_bytes(
                model.config.get_text_config(),
                samples=micro,
                length=length,
                precision=options.resolved_precision,
                checkpointing=options.gradient_checkpointing,
            ),
        },
        steps=steps,
        batch=batch,
        notes=notes,
    )


def _parameters_by_part(model: Any, pattern: str | None) -> dict[str, int]:
    """Return the parameters of a model by part, its head counted with the language model."""
    modules = dict(model.named_modules())
    inside = language_name(model)
    total = sum(one.numel() for one in model.parameters())
    projectors = {one: modules[one] for one in projector_names(model, pattern)}
    projector = sum(memory.count_parameters(projectors).values())
    language = memory.count_parameters({"": modules[inside]})[""] if inside else total - projector
    head = getattr(model, "lm_head", None)
    if inside and head is not None and not inside.startswith("lm_head"):
        language += sum(one.numel() for one in head.parameters())
    return {
        "language model": language,
        "projector": projector,
        "the rest (vision tower)": max(0, total - language - projector),
    }


def _adapter_parameters(model: Any, lora: LoraSettings, pattern: str | None) -> int:
    """Return the number of parameters of LoRA's adapters."""
    modules = dict(model.named_modules())
    linears = (modules[one] for one in linear_names(model, pattern))
    return sum(
        lora.r * (one.in_features + one.out_features)
        for one in linears
        if isinstance(one, nn.Linear)
    )
