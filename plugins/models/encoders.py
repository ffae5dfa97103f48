"""Loads encoders of texts and images through transformers, and says what they depend on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ig4.core.contracts import Options
from ig4.core.errors import PrerequisiteError
from ig4.plugins.models import hardware
from ig4.plugins.models.hub import check_device, offline_if_unreachable
from ig4.plugins.models.loading import explain_loading_errors, quiet_transformers
from ig4.plugins.models.rewardmodels import folder_of

if TYPE_CHECKING:
    from ig4.core.contracts import Digest
    from ig4.core.records import JSON


class EncoderOptions(Options):
    """Which encoder, how precise, and where."""

    model: str = Field(..., description="Model of the Hugging Face hub, or a folder.")
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
        """The precision in use; on a processor fp32, so that texts in any batch have one vector."""
        if self.precision == "auto" and self.resolved_device == "cpu":
            return "fp32"
        return hardware.precision(self.precision, self.resolved_device)


def encoder_identity(options: EncoderOptions, digest: Digest) -> dict[str, JSON]:
    """Return what vectors depend on: the model (a folder by its content) and the precision.

    Raises:
        PrerequisiteError: there is no such folder.
    """
    folder = options.folder
    if folder is not None and not folder.is_dir():
        raise PrerequisiteError(f"{folder}: there is no such folder; name the model's own")
    return {
        "model": "folder" if folder else options.model,
        "weights": f"sha256:{digest(folder)}" if folder else options.revision,
        "precision": options.resolved_precision,
    }


def load_encoder(
    options: EncoderOptions, component: str, processor: str
) -> tuple[Any, Any, frozenset[str]]:
    """Return a model, its tokenizer or image processor, and the names of weights that it lacks.

    `processor` is a class of transformers: AutoTokenizer, AutoImageProcessor. The model is on its
    device, in its precision, set to evaluation. Code that comes with a model is never run.

    Raises:
        PrerequisiteError: weights or device are not there, or it lacks more than a pooler's.
    """
    import torch
    import transformers

    check_device(options.resolved_device, requested=options.device, component=component)
    name = str(options.folder or options.model)
    shared: dict[str, Any] = {"cache_dir": options.cache_dir, "trust_remote_code": False}
    if options.revision is not None:
        shared["revision"] = options.revision
    with (
        quiet_transformers(),
        explain_loading_errors(
            options.model, options.resolved_device, partial(_explanation, options, component)
        ),
        offline_if_unreachable(local=options.folder is not None),
    ):
        reader = getattr(transformers, processor).from_pretrained(name, **shared)
        model, info = transformers.AutoModel.from_pretrained(
            name, output_loading_info=True, **shared
        )
    missing = frozenset(info["missing_keys"])
    lacking = sorted(key for key in missing if "pooler" not in key and "head" not in key)
    if lacking:
        raise PrerequisiteError(
            f"{options.model} lacks weights of its own architecture ({lacking[0]}, …): its vectors "
            "would be random; name another model"
        )
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    model.to(options.resolved_device, dtypes[options.resolved_precision])
    model.eval().requires_grad_(requires_grad=False)
    return model, reader, missing


def read_settings(options: EncoderOptions, file: str) -> JSON:
    """Return what a JSON file of a model says, None if the model has no such file.

    Raises:
        PrerequisiteError: it is no JSON.
    """
    path = _located(options, file)
    if path is None:
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PrerequisiteError(f"{path} is not valid JSON: {error}") from None


def _located(options: EncoderOptions, file: str) -> Path | None:
    if options.folder is not None:
        path = options.folder / file
        return path if path.is_file() else None
    from transformers.utils.hub import cached_file

    with offline_if_unreachable(local=False):
        found = cached_file(
            options.model,
            file,
            cache_dir=options.cache_dir,
            revision=options.revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
    return None if found is None else Path(found)


def _explanation(options: EncoderOptions, component: str, message: str) -> str:
    """Return what to do about an error whose own message is `message`."""
    if options.folder is not None:
        return f"{options.folder} holds no model that transformers can load: {message}"
    return (
        f"the weights of {options.model} are not on this machine and cannot be downloaded. "
        "Three ways to get them: run once with a network (they stay in the cache, or in "
        f"cache_dir); name a folder, -o {component}.model=/path/to/model; or copy the Hugging Face "
        "cache of another machine and set HF_HOME (or set HF_ENDPOINT to a mirror). The "
        f"download said: {message[:200]}"
    )


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Return places in batches of `size`, those of similar length together, the longest first."""
    order = sorted(range(len(lengths)), key=lambda at: lengths[at], reverse=True)
    return [order[start : start + size] for start in range(0, len(order), size)]


def accepted(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a tokenizer's outputs that a model takes (some make token_type_ids)."""
    import inspect

    known = inspect.signature(model.forward).parameters
    return {name: values for name, values in inputs.items() if name in known}
