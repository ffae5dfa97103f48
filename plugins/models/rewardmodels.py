"""Loads reward models through transformers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ig4.core.contracts import Options
from ig4.core.errors import PrerequisiteError, UsageError
from ig4.plugins.models import hardware
from ig4.plugins.models.hub import check_device, offline_if_unreachable
from ig4.plugins.models.loading import explain_loading_errors, quiet_transformers

DEFAULT_MODEL = "OpenAssistant/reward-model-deberta-v3-large-v2"
"""The paper's reward model."""


class RewardModelOptions(Options):
    """Which reward model, how precise, and where."""

    model: str = Field(DEFAULT_MODEL, description="Model of the Hugging Face hub, or a folder.")
    revision: str | None = Field(None, description="Branch, tag or commit on the hub.")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 or fp16 on a GPU, fp32 on a processor."
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, cuda, cuda:1, mps."
    )
    cache_dir: str | None = Field(None, description="Folder for downloaded weights.")

    @property
    def folder(self) -> Path | None:
        """The model's folder on this machine; None for one of the hub."""
        return folder_of(self.model)

    @property
    def resolved_device(self) -> str:
        """The torch device in use."""
        return hardware.device(self.device)

    @property
    def resolved_precision(self) -> hardware.Precision:
        """The precision in use; on a processor fp32, because logits are not bounded."""
        if self.precision == "auto" and self.resolved_device == "cpu":
            return "fp32"
        return hardware.precision(self.precision, self.resolved_device)


def load(options: RewardModelOptions) -> tuple[Any, Any]:
    """Return model and tokenizer; the model on its device, in its precision, set to evaluation.

    Code that comes with a model is never run.

    Raises:
        PrerequisiteError: weights or device are not there.
        UsageError: the model gives more than one number.
    """
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    check_device(options.resolved_device, requested=options.device, component="reward")
    if options.folder is not None and not options.folder.is_dir():
        raise PrerequisiteError(f"{options.folder}: there is no such folder; name the model's own")
    name_or_path = str(options.folder or options.model)
    shared: dict[str, Any] = {"cache_dir": options.cache_dir, "trust_remote_code": False}
    if options.revision is not None:
        shared["revision"] = options.revision
    with (
        quiet_transformers(),
        explain_loading_errors(
            options.model, options.resolved_device, partial(_explanation, options)
        ),
        offline_if_unreachable(local=options.folder is not None),
    ):
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, **shared)
        model = AutoModelForSequenceClassification.from_pretrained(name_or_path, **shared)
    if model.config.num_labels != 1:
        raise UsageError(
            f"{options.model} gives {model.config.num_labels} numbers for a text: a reward model "
            "gives one (num_labels = 1)"
        )
    _set_padding(model, tokenizer)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    model.to(options.resolved_device, dtypes[options.resolved_precision])
    model.eval().requires_grad_(requires_grad=False)
    return model, tokenizer


def _set_padding(model: Any, tokenizer: Any) -> None:
    """Give a model without a padding token one, and pad on the right.

    Decoders that classify read the last position that is not padding, so padding must not be a
    token that texts end with. Any other token will do: no position attends to it.
    """
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.bos_token or tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id
    tokenizer.padding_side = "right"


def _explanation(options: RewardModelOptions, message: str) -> str:
    """Return what to do about an error whose own message is `message`."""
    if options.folder is not None:
        return f"{options.folder} holds no reward model that transformers can load: {message}"
    return (
        f"the weights of {options.model} are not on this machine and cannot be downloaded. "
        "Three ways to get them: run once with a network (they stay in the cache, or in "
        "cache_dir); name a folder, -o reward.model=/path/to/model; or copy the Hugging Face "
        "cache of another machine and set HF_HOME (or set HF_ENDPOINT to a mirror). The "
        f"download said: {message[:200]}"
    )


def folder_of(model: str) -> Path | None:
    """Return the folder that a model's name stands for, None for a name on the hub."""
    path = Path(model).expanduser()
    like_a_path = path.is_absolute() or model.startswith((".", "~")) or len(path.parts) > 2
    return path if like_a_path or path.is_dir() else None
