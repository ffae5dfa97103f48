"""Weights in files: safetensors for ig4's own, and `.pth` of others, whose code never runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ig4.core.errors import PrerequisiteError


def trained_state(model: nn.Module, state: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Return the trainable parameters by name, on the CPU; from `state` if it is given."""
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    values = dict(model.named_parameters()) if state is None else state
    return {name: values[name].detach().cpu().contiguous() for name in names if name in values}


def save_trained(model: nn.Module, file: Path, state: Mapping[str, Tensor] | None = None) -> None:
    """Write the trainable parameters."""
    save_file(trained_state(model, state), file, metadata={"format": "pt"})


def load_trained(model: nn.Module, file: Path) -> None:
    """Copy what `save_trained` wrote into the model, on whatever device its parameters are."""
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in read_safetensors(file).items():
            own[name].copy_(value)


def read_safetensors(file: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        PrerequisiteError: it is missing or broken.
    """
    try:
        return load_file(file)
    except FileNotFoundError:
        raise PrerequisiteError(f"{file}: the weights are missing") from None
    except Exception as error:
        raise PrerequisiteError(f"{file} holds no weights: {error}") from error


def read_state(file: Path) -> dict[str, Any]:
    """Return the state dict of a `.pth` or safetensors file, without a wrapping "model" key.

    Nothing in the file is executed.

    Raises:
        PrerequisiteError: it is missing or broken, or holds more than tensors.
    """
    if file.suffix == ".safetensors":
        return dict(read_safetensors(file))
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise PrerequisiteError(f"{file}: the checkpoint is missing") from None
    except RuntimeError:  # files of the old layout cannot be mapped
        loaded = _load_unmapped(file)
    except Exception as error:
        raise PrerequisiteError(f"{file} is no checkpoint of plain tensors: {error}") from error
    inner = loaded.get("model", loaded) if isinstance(loaded, dict) else None
    if not isinstance(inner, dict):
        raise PrerequisiteError(f"{file} holds no state dict")
    return {name: value for name, value in inner.items() if isinstance(value, Tensor)}


def _load_unmapped(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise PrerequisiteError(f"{file} is no checkpoint of plain tensors: {error}") from error
