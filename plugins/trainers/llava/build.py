"""Builds LLaVA from one folder, or from its language model and vision tower."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from ig4.core.errors import PrerequisiteError
from ig4.plugins.models.loading import quiet_transformers
from ig4.plugins.models.pretrained import (
    DTYPES,
    llama_config,
    load,
    load_config,
)
from ig4.plugins.models.tokenizer import Tokenizer, load_tokenizer
from ig4.plugins.models.weights import read_state
from ig4.plugins.trainers.llava.model import Llava, from_original, original_projector
from ig4.plugins.trainers.llava.options import LlavaOptions
from ig4.plugins.training.options import existing_path
from ig4.plugins.training.parts import unquantized_names

_TOKENIZER = (
    "tokenizer.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "generation_config.json", "preprocessor_config.json",
    "processor_config.json", "chat_template.jinja", "chat_template.json",
)  # fmt: skip


def build(options: LlavaOptions, *, name_or_path: str | None = None) -> Any:
    """Return a `LlavaForConditionalGeneration` with its weights, on its device, in evaluation.

    `name_or_path` is a whole model to take instead of the options' own.

    Raises:
        PrerequisiteError: weights are not there, or of another architecture.
    """
    from transformers import (
        AutoModelForCausalLM,
        CLIPVisionModel,
        LlavaForConditionalGeneration,
    )

    dtype = DTYPES[options.resolved_precision]
    model: Any
    if name_or_path is not None or options.llm is None:
        whole = name_or_path or options.model
        kind = load_config(whole, options, option="llava.model").model_type
        if kind != "llava":
            raise PrerequisiteError(
                f"{whole} is of another architecture: {kind}, not llava; `--trainer hf` takes it"
            )
        model = load(LlavaForConditionalGeneration, whole, options, dtype=dtype,
                     option="llava.model", unquantized=_unquantized(options))  # fmt: skip
    else:
        with torch.device("meta"):
            model = LlavaForConditionalGeneration(_config(options))
        llm = load(AutoModelForCausalLM, options.llm, options, dtype=dtype,
                   option="llava.llm", unquantized=())  # fmt: skip
        tower = load(CLIPVisionModel, options.vision, options, dtype=dtype, option="llava.vision")
        _assemble(model, llm, tower, dtype)
    if options.projector is not None:
        _load_projector(model, options.projector)
    if options.quantize == "none":
        model.to(options.resolved_device)
    else:  # the language model is already on its device, and must not be moved
        for part in (model.model.vision_tower, model.model.multi_modal_projector):
            part.to(options.resolved_device)
    return model.eval()


def meta_model(options: LlavaOptions) -> tuple[Any, str | None]:
    """Return the model without weights, on the `meta` device, and a note on its sizes.

    Parts that are not on this machine count as LLaVA-1.5's: CLIP-L/14-336 and Llama.
    """
    from transformers import LlavaConfig, LlavaForConditionalGeneration

    note = None
    if options.llm is not None:
        config = _config(options)
    else:
        found, note = llama_config(options.model, options, option="llava.model")
        config = found if note is None else LlavaConfig(text_config=found)
    with torch.device("meta"):
        return LlavaForConditionalGeneration(config), note


def _unquantized(options: LlavaOptions) -> list[str]:
    """Return the names of the layers that are not quantised."""
    return unquantized_names(meta_model(options)[0]) if options.quantize != "none" else []


def tokenizer_of(options: LlavaOptions, name_or_path: str | None = None) -> Tokenizer:
    """Return the tokenizer of the language model."""
    return load_tokenizer(name_or_path or options.llm or options.model, cache_dir=options.cache_dir)


def copy_tokenizer(options: LlavaOptions, folder: Path) -> None:
    """Copy the files of tokenizer and processor to the folder of a whole model."""
    from transformers.utils.hub import cached_file

    for name in _TOKENIZER:
        with quiet_transformers():
            file = cached_file(
                options.llm or options.model, name, cache_dir=options.cache_dir,
                _raise_exceptions_for_missing_entries=False,
            )  # fmt: skip
        if file is not None and not (folder / name).exists():
            shutil.copyfile(file, folder / name)


def _config(options: LlavaOptions) -> Any:
    from transformers import LlavaConfig

    assert options.llm is not None
    vision = load_config(options.vision, options, option="llava.vision")
    return LlavaConfig(
        vision_config=getattr(vision, "vision_config", vision),
        text_config=load_config(options.llm, options, option="llava.llm"),
    )


def _assemble(model: Any, llm: Any, tower: Any, dtype: torch.dtype) -> None:
    """Put loaded parts into a model without weights; the projector starts at random."""
    inside = model.model
    inside.language_model = llm.model
    model.lm_head = llm.lm_head
    inside.vision_tower = tower
    projector = inside.multi_modal_projector.to_empty(device="cpu")
    for layer in (projector.linear_1, projector.linear_2):
        layer.reset_parameters()
    projector.to(dtype)


def _load_projector(model: Any, name_or_path: Path) -> None:
    path = existing_path(name_or_path)
    assert path is not None
    file = path / "model.safetensors" if path.is_dir() else path
    state = read_state(file)
    own = dict(model.named_parameters())
    weights = {**from_original(state, own), **state}
    names = [name for name in own if "multi_modal_projector" in name]
    for name in names:
        if name not in weights or weights[name].shape != own[name].shape:
            raise PrerequisiteError(
                f"{file} is of another architecture: it has no matching {name} "
                f"of {tuple(own[name].shape)}"
            )
        own[name].data.copy_(weights[name])


def save_original_projector(llava: Llava, folder: Path) -> None:
    """Write the projector as the original code reads it (`--pretrain_mm_mlp_adapter`)."""
    torch.save(original_projector(llava.plain.state_dict()), folder / "mm_projector.bin")
