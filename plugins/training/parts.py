"""The trainable parts of a vision-language model: chosen, saved and restored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.plugins.models.loading import one_line, quiet_transformers
from ig4.plugins.models.weights import read_safetensors, save_trained
from ig4.plugins.training.trainable import LoraSettings, TrainableParts

ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
PROJECTOR = "projector.safetensors"
WEIGHTS = "model.safetensors"

_PROJECTORS = (
    "multi_modal_projector", "mm_projector", "connector", "merger", "language_projection",
    "vision_projection", "text_projection", "aligner", "mlp1", "embed_vision", "resampler",
    "deepstack_merger_list", "patch_merger", "projector", "abstractor",
)  # fmt: skip
"""Names of the projector in transformers' models."""


def projector_names(model: nn.Module, pattern: str | None = None) -> list[str]:
    """Return the names of the projector modules, between vision tower and language model.

    Of nested modules it is the outermost one. `pattern` is a regular expression on module names,
    for models whose projector has another name.

    Raises:
        UsageError: there is none, or `pattern` matches none.
    """
    wanted = re.compile(pattern) if pattern else None
    found: list[str] = []
    for name, _ in model.named_modules():
        last = name.rpartition(".")[2]
        hit = bool(wanted.search(name)) if wanted else last in _PROJECTORS
        if name and hit and not any(name.startswith(f"{one}.") for one in found):
            found.append(name)
    if not found:
        problem = f"no module matches {pattern!r}" if pattern else "the projector is unknown"
        tops = ", ".join(name for name, _ in model.named_modules() if name.count(".") == 1)[:300]
        raise UsageError(f"{problem}: name it by -o hf.projector=REGEX (there are: {tops})")
    return found


def language_name(model: Any) -> str:
    """Return the name of the language model inside a vision-language model; "" for all of it."""
    for getter in ("get_decoder", "get_text_decoder"):
        decoder = getattr(model, getter, lambda: None)()
        for name, module in model.named_modules():
            if module is decoder and name:
                return str(name)
    for name, _ in model.named_modules():
        if name.rpartition(".")[2] in ("language_model", "text_model"):
            return str(name)
    return ""


def linear_names(model: nn.Module, pattern: str | None = None) -> list[str]:
    """Return the names of all linear layers of the language model, without its head."""
    inside, outside = language_name(model), projector_names(model, pattern)
    names = []
    for name, module in model.named_modules():
        if not (isinstance(module, nn.Linear) or "Linear" in type(module).__name__):
            continue
        own = name.startswith(f"{inside}.") if inside else "vision" not in name
        if own and not name.endswith("lm_head") and not name.startswith(tuple(outside)):
            names.append(name)
    return names


def unquantized_names(model: nn.Module, pattern: str | None = None) -> list[str]:
    """Return the names of the linear layers that are not quantised.

    These are all outside the language model: the head, the projector, the vision tower.
    """
    own = set(linear_names(model, pattern))
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name not in own
    ]


def set_trainable(
    model: Any, trainable: TrainableParts, *, lora: LoraSettings, pattern: str | None = None
) -> tuple[Any, list[str]]:
    """Make only the `trainable` parts trainable; return the model and its projectors' names.

    LoRA wraps the model. The vision tower is always frozen. Trainable weights are in fp32.
    """
    projectors = projector_names(model, pattern)
    if trainable == "full" and getattr(model, "is_quantized", False):
        raise UsageError("weights in 8 or 4 bits cannot learn: train adapters (LoRA) on them")
    model.requires_grad_(requires_grad=False)
    if trainable == "lora":
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, bias="none",
            target_modules=linear_names(model, pattern), task_type="CAUSAL_LM",
        )  # fmt: skip
        with quiet_transformers():
            model = get_peft_model(model, config)
    inside = language_name(_unwrap(model))
    for name, value in _unwrap(model).named_parameters():
        if name.startswith(tuple(projectors)):
            value.requires_grad_(requires_grad=True)
        elif trainable == "full":
            head = "lm_head" in name
            tower = bool(inside) and not name.startswith(f"{inside}.")
            value.requires_grad_(requires_grad=head or not tower)
    for value in model.parameters():
        if value.requires_grad:
            value.data = value.data.float()
    return model, projectors


def projector_parameters(model: Any, projectors: Sequence[str]) -> list[nn.Parameter]:
    """Return the trainable parameters of the projectors; without images they get no gradient."""
    return [
        value
        for name, value in _unwrap(model).named_parameters()
        if value.requires_grad and name.startswith(tuple(projectors))
    ]


def parameter_groups(
    model: Any,
    projectors: Sequence[str],
    *,
    rate: float,
    projector_rate: float | None,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Return AdamW's groups: the projector may have its own rate; vectors have no decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, value in _unwrap(model).named_parameters():
        if value.requires_grad:
            own = name.startswith(tuple(projectors)) and projector_rate is not None
            decay = 0.0 if value.ndim < 2 else weight_decay
            group_rate = projector_rate if own and projector_rate is not None else rate
            groups.setdefault((group_rate, decay), []).append(value)
    return [
        {"params": values, "lr": rate, "weight_decay": decay}
        for (rate, decay), values in groups.items()
    ]


def save(model: Any, folder: Path, trainable: TrainableParts, projectors: Sequence[str]) -> None:
    """Write the trained parts: adapter and projector, the projector, or the whole model."""
    if trainable == "full":
        with quiet_transformers():
            model.save_pretrained(folder)
        return
    if trainable == "projector":
        save_trained(model, folder / WEIGHTS)
        return
    from safetensors.torch import save_file

    with quiet_transformers():
        model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
    own = {
        name: value.detach().cpu().contiguous()
        for name, value in _unwrap(model).state_dict().items()
        if name.startswith(tuple(projectors))
    }
    save_file(own, folder / PROJECTOR, metadata={"format": "pt"})


def restore(model: Any, folder: Path) -> Any:
    """Return a model with the projector or the adapter that `save` wrote.

    Raises:
        PrerequisiteError: the checkpoint is of another architecture.
    """
    if not (folder / ADAPTER).is_file():
        _copy_weights(model, read_safetensors(folder / WEIGHTS), folder)
        return model
    from peft import PeftModel

    _copy_weights(model, read_safetensors(folder / PROJECTOR), folder)
    if not (folder / ADAPTER_WEIGHTS).is_file():  # PEFT would look for a pickle
        raise PrerequisiteError(f"{folder / ADAPTER_WEIGHTS}: the weights are missing")
    try:
        with quiet_transformers():
            return PeftModel.from_pretrained(model, str(folder))
    except (RuntimeError, ValueError, KeyError) as error:
        message = one_line(error, 200)
        raise PrerequisiteError(f"{folder} is of another architecture: {message}") from error


def _copy_weights(model: nn.Module, state: Mapping[str, Any], folder: Path) -> None:
    own = dict(model.named_parameters())
    for name, value in state.items():
        if name not in own or own[name].shape != value.shape:
            shape = tuple(own[name].shape) if name in own else "nothing of that name"
            raise PrerequisiteError(
                f"{folder} is of another architecture: {name} is {tuple(value.shape)} there, the "
                f"model has {shape}"
            )
        own[name].data.copy_(value)


def _unwrap(model: Any) -> Any:
    """Return the model inside a PEFT wrapper, whose parameters have the model's own names."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model
