"""Roughly what a training takes of a device's memory, known from sizes alone."""

from __future__ import annotations

from typing import Any

from torch import nn

from ig4.plugins.hardware import Precision

BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "8bit": 1.0, "4bit": 0.56}
"""Of one weight; 4-bit weights carry their scales."""

_ADAM = 4 + 8  # a gradient and two moments in fp32, for each weight that learns


def counted(parts: dict[str, nn.Module | nn.Parameter]) -> dict[str, int]:
    """Return how many parameters each part of a model has."""
    return {
        name: part.numel()
        if isinstance(part, nn.Parameter)
        else sum(one.numel() for one in part.parameters())
        for name, part in parts.items()
    }


def trained_parameters(model: nn.Module) -> int:
    """Return how many parameters learn."""
    return sum(one.numel() for one in model.parameters() if one.requires_grad)


def learning(parameters: int) -> int:
    """Return the bytes of gradients and of AdamW's moments."""
    return _ADAM * parameters


def activations(
    config: Any, *, samples: int, length: int, precision: Precision, checkpointing: bool
) -> int:
    """Return about how many bytes a decoder keeps for its backward pass, and its logits.

    Counted for a Llama block under fused attention: 22 values of the width and 8 of the
    feed-forward for each token and layer, at two bytes; with checkpointing the input of each
    block, and all of one block.
    """
    wide = 2.0 if precision == "fp32" else 1.0
    block = (22 * config.hidden_size + 8 * config.intermediate_size) * wide
    layers = config.num_hidden_layers
    kept = block + 2 * wide * config.hidden_size * layers if checkpointing else block * layers
    logits = config.vocab_size * (4 + 4 + 2 * wide)
    return int(samples * length * (kept + logits))
