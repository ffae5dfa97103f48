"""Builds MiniGPT-4 from the original files, or from a folder that ig4 saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from ig4.core.errors import PrerequisiteError, UsageError
from ig4.plugins.models.pretrained import DTYPES, llama_config, load
from ig4.plugins.models.weights import read_state
from ig4.plugins.trainers.minigpt4.model import (
    MiniGPT4,
    Sizes,
    State,
    fit_state,
    from_original,
    missing_weights,
)
from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options
from ig4.plugins.training.options import existing_path

SIZES = "minigpt4.json"
WEIGHTS = "model.safetensors"
_DEPTH = "vision_model.encoder.layers."


def build(options: MiniGPT4Options) -> MiniGPT4:
    """Return the model with its weights, on its device, the projection in fp32.

    Tower and Q-Former stay in fp32, as autocast wants them; the language model is in the
    precision of the computation, or in 8 or 4 bits.

    Raises:
        UsageError: a part is not named, or its file does not exist.
        PrerequisiteError: weights are missing, or of another architecture.
    """
    from transformers import AutoModelForCausalLM

    sizes = read_sizes(options)
    state = _read_weights(options)
    llm = load(
        AutoModelForCausalLM, options.llm, options, dtype=DTYPES[options.resolved_precision],
        option="minigpt4.llm", unquantized=(),
    )  # fmt: skip
    with torch.device("meta"):
        model = MiniGPT4(sizes, _EmbeddingStub(llm))
    fitted = fit_state(model, state, source=_source_names(options))
    missing = missing_weights(model, fitted)
    fresh = [name for name in missing if name.startswith("language_projection.")]
    if len(missing) > len(fresh):
        first = next(name for name in missing if name not in fresh)
        raise PrerequisiteError(
            f"{_source_names(options)}: {len(missing) - len(fresh)} weights are missing, the first "
            f"is {first}: name vit and qformer, or a complete model folder"
        )
    model.load_state_dict({name: value.float() for name, value in fitted.items()},
                          strict=False, assign=True)  # fmt: skip
    if fresh:
        model.language_projection = nn.Linear(
            model.language_projection.in_features, model.language_projection.out_features
        )
    model.language_model = llm
    model.requires_grad_(requires_grad=False)
    model.language_projection.requires_grad_(requires_grad=True)
    if options.quantize == "none":
        model.to(options.resolved_device)
    else:
        for name, part in model.named_children():
            if name != "language_model":
                part.to(options.resolved_device)
        model.query_tokens.data = model.query_tokens.data.to(options.resolved_device)
    return model


def meta_model(options: MiniGPT4Options) -> tuple[MiniGPT4, Any, str | None]:
    """Return the model without weights, on the `meta` device, the LLM's configuration, a note.

    Raises:
        PrerequisiteError: the language model's configuration is not there.
    """
    from transformers import AutoModelForCausalLM

    config, note = llama_config(options.llm, options, option="minigpt4.llm")
    with torch.device("meta"):
        model = MiniGPT4(read_sizes(options), AutoModelForCausalLM.from_config(config))
    return model, config, note


def read_sizes(options: MiniGPT4Options) -> Sizes:
    """Return the sizes in a saved folder, or the published ones."""
    if options.model is None:
        return Sizes()
    folder = existing_path(options.model)
    assert folder is not None
    try:
        return Sizes(**json.loads((folder / SIZES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PrerequisiteError(f"{folder} is not a MiniGPT-4 that ig4 saved: {error}") from None


def save_model(model: MiniGPT4, folder: Path) -> None:
    """Write everything before the language model, in the layout that the option `model` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()
            if not name.startswith("language_model.")}  # fmt: skip
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / SIZES).write_text(json.dumps(model.sizes.to_dict(), indent=2) + "\n",
                                encoding="utf-8")  # fmt: skip


def read_projection(place: Path) -> State:
    """Return the projection of an original `.pth`, of a safetensors file, or of a checkpoint.

    Raises:
        PrerequisiteError: there is none in it.
    """
    state = read_state(place / WEIGHTS if place.is_dir() else place)
    own = {name: value for name, value in state.items() if name.startswith("language_projection.")}
    found = own or {
        name: value
        for name, value in from_original(state).items()
        if name.startswith("language_projection.")
    }
    if not found:
        raise PrerequisiteError(f"{place} holds no projection (llama_proj) of MiniGPT-4")
    return found


def require_parts(options: MiniGPT4Options) -> None:
    """Raise UsageError if the options do not name what the model is made of."""
    if options.model is None and (options.vit is None or options.qformer is None):
        raise UsageError(
            "name the parts of MiniGPT-4: -o minigpt4.vit=eva_vit_g.pth "
            "-o minigpt4.qformer=blip2_pretrained_flant5xxl.pth (and -o minigpt4.checkpoint=… for "
            "the first stage's projection), or a folder that ig4 saved: -o minigpt4.model=FOLDER"
        )


def _read_weights(options: MiniGPT4Options) -> State:
    """Return all weights before the language model, from the files that the options name."""
    require_parts(options)
    state: State = {}
    if options.model is not None:
        folder = existing_path(options.model)
        assert folder is not None
        state |= read_state(folder / WEIGHTS)
    if options.vit is not None:
        state |= _vision_weights(read_state(_required_path(options.vit)))
    if options.qformer is not None:
        found = from_original(read_state(_required_path(options.qformer)))
        state |= {name: value for name, value in found.items()
                  if not name.startswith(("vision_model.encoder", "vision_model.embeddings",
                                          "language_"))}  # fmt: skip
    if options.checkpoint is not None:
        place = existing_path(options.checkpoint)
        assert place is not None
        state |= read_projection(place)
    return state


def _vision_weights(state: State) -> State:
    """Return EVA's weights; its own file has them without a prefix, and one block more."""
    if not any(name.startswith("visual_encoder.") for name in state):
        state = {f"visual_encoder.{name}": value for name, value in state.items()}
    return {name: value for name, value in from_original(state).items()
            if name.startswith("vision_model.")}  # fmt: skip


def _required_path(place: Path) -> Path:
    found = existing_path(place)
    assert found is not None
    return found


def _source_names(options: MiniGPT4Options) -> str:
    paths = (options.model, options.vit, options.qformer, options.checkpoint)
    return ", ".join(str(one) for one in paths if one is not None)


class _EmbeddingStub(nn.Module):
    """Replaces a language model where only the width of its embeddings matters."""

    def __init__(self, llm: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1, llm.get_input_embeddings().embedding_dim)

    def get_input_embeddings(self) -> nn.Embedding:
        """Return an embedding of the same width."""
        return self.embedding
