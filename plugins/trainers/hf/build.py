"""Loads a vision-language model of transformers, and its processor."""

from __future__ import annotations

from typing import Any

import torch

from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.hub import offline_if_unreachable
from ig4.plugins.models.loading import quiet_transformers
from ig4.plugins.models.pretrained import (
    DTYPES,
    explain_errors,
    load,
    load_config,
)
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.training.options import existing_path
from ig4.plugins.training.parts import unquantized_names

_OPTION = "hf.model"


def build(options: HuggingFaceOptions, *, name_or_path: str | None = None) -> Any:
    """Return the model with its weights, on its device, in evaluation.

    Raises:
        PrerequisiteError: weights are not there, or the model takes no images.
    """
    from transformers import AutoModelForImageTextToText

    quantised = options.quantize != "none"
    unquantized = unquantized_names(meta_model(options), options.projector) if quantised else ()
    model = load(
        AutoModelForImageTextToText, name_or_path or options.model, options,
        dtype=DTYPES[options.resolved_precision], option=_OPTION, unquantized=unquantized,
    )  # fmt: skip
    if options.quantize == "none":
        model.to(options.resolved_device)
    return model.eval()


def meta_model(options: HuggingFaceOptions) -> Any:
    """Return the model without weights, on the `meta` device."""
    from transformers import AutoModelForImageTextToText

    config = load_config(options.model, options, option=_OPTION)
    with torch.device("meta"):
        try:
            return AutoModelForImageTextToText.from_config(config)
        except ValueError as error:
            raise PrerequisiteError(
                f"{options.model} is not an image-text-to-text model of transformers: "
                f"it is {config.model_type}"
            ) from error


def load_processor(options: HuggingFaceOptions, *, name_or_path: str | None = None) -> Any:
    """Return the model's processor, with a padding token.

    Raises:
        PrerequisiteError: it has none, or one without the character offsets of tokens.
    """
    from transformers import AutoProcessor

    chosen = name_or_path or options.model
    folder = existing_path(chosen)
    with (
        quiet_transformers(),
        explain_errors(chosen, folder, _OPTION),
        offline_if_unreachable(local=folder is not None),
    ):
        processor = AutoProcessor.from_pretrained(
            str(folder or chosen), cache_dir=options.cache_dir, trust_remote_code=False
        )
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or not getattr(tokenizer, "is_fast", False):
        raise PrerequisiteError(
            f"{chosen} has no processor with a fast tokenizer (tokenizer.json), which ig4 needs to "
            "distinguish answers from questions"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return processor
