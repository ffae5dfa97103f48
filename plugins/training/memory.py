"""Estimates of the memory that a training needs, and what to do when it runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.hardware import Precision
from ig4.plugins.models.hub import check_device

if TYPE_CHECKING:
    from ig4.plugins.training.options import TrainingOptions

BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "8bit": 1.0, "4bit": 0.56}
"""Bytes of one weight; 4-bit weights include their scales."""

_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Messages of torch's plain RuntimeErrors when memory runs out."""

_OPTIMIZER_BYTES = 4 + 8  # a gradient and two moments in fp32, for each weight that learns


def count_parameters(parts: dict[str, nn.Module | nn.Parameter]) -> dict[str, int]:
    """Return the number of parameters of each part of a model."""
    return {
        name: part.numel()
        if isinstance(part, nn.Parameter)
        else sum(one.numel() for one in part.parameters())
        for name, part in parts.items()
    }


def trained_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(one.numel() for one in model.parameters() if one.requires_grad)


def optimizer_bytes(parameters: int) -> int:
    """Return the bytes of gradients and of AdamW's moments."""
    return _OPTIMIZER_BYTES * parameters


def activation_bytes(
    config: Any, *, samples: int, length: int, precision: Precision, checkpointing: bool
) -> int:
    """Return the approximate bytes that a decoder keeps for its backward pass, and of its logits.

    Counted for a Llama block with fused attention: 22 values of the width and 8 of the
    feed-forward for each token and layer, at two bytes; with checkpointing the input of each
    block, and all of one block.
    """
    wide = 2.0 if precision == "fp32" else 1.0
    block = (22 * config.hidden_size + 8 * config.intermediate_size) * wide
    layers = config.num_hidden_layers
    kept = block + 2 * wide * config.hidden_size * layers if checkpointing else block * layers
    logits = config.vocab_size * (4 + 4 + 2 * wide)
    return int(samples * length * (kept + logits))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that a device or the machine ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)


def out_of_memory_advice(name: str, options: TrainingOptions, *, loading: bool = False) -> str:
    """Return the message for when memory runs out: the options that help, the cheapest first.

    `loading` leaves out those that only help once the model is loaded.
    """
    choices = []
    if options.micro_batch_size != 1 and not loading:
        choices.append(f"-o {name}.micro_batch_size=1 (same result, smaller micro-batches)")
    if not options.gradient_checkpointing and not loading:
        choices.append(f"-o {name}.gradient_checkpointing=true (same result, about a third slower)")
    if options.resolved_precision == "fp32" and options.resolved_device != "cpu":
        choices.append(f"-o {name}.precision=bf16")
    if options.lighter_option is not None:
        choices.append(f"-o {name}.{options.lighter_option}")
    elif options.quantize != "4bit":
        choices.append(f"-o {name}.quantize=4bit")
    advice = "; ".join(choices) or "a smaller model, or a device with more memory"
    return f"{options.resolved_device} does not have enough memory. Try {advice}"


@contextmanager
def explain_memory_errors(name: str, options: TrainingOptions) -> Iterator[None]:
    """Check the device, and say which option helps if a model does not fit into its memory.

    Raises:
        PrerequisiteError: the device is missing, or has too little memory.
    """
    check_device(options.resolved_device, requested=options.device, component=name)
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise PrerequisiteError(
            f"the model cannot be loaded: {out_of_memory_advice(name, options, loading=True)}"
        ) from error
