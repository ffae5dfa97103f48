"""MiniGPT-4: EVA ViT-g and BLIP-2's Q-Former, projected into a language model of the Llama family.

Tower and Q-Former are transformers' own classes; the weights keep transformers' names here and
travel by the original names (`to_original`, `from_original`). Only the projection learns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from transformers import (
    Blip2QFormerConfig,
    Blip2QFormerModel,
    Blip2VisionConfig,
    Blip2VisionModel,
)

from ig4.core.errors import PrerequisiteError
from ig4.plugins.training.placeholders import embed

State: TypeAlias = dict[str, Tensor]

LN_VISION_EPS = 1e-5  # transformers' Blip2 has 1e-6 here, which moves the embeddings by 5e-3


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of everything before the language model; the published ones by default."""

    vision: Mapping[str, Any] = field(default_factory=dict)
    """What `Blip2VisionConfig` takes; it defaults to EVA ViT-g: 39 blocks of width 1408."""
    qformer: Mapping[str, Any] = field(default_factory=dict)
    """What `Blip2QFormerConfig` takes; it defaults to 12 layers of width 768."""
    num_query_tokens: int = 32

    @property
    def image_size(self) -> int:
        """The side of the square images, in pixels."""
        return int(self.vision.get("image_size", 224))

    def to_dict(self) -> dict[str, Any]:
        """Return the sizes, JSON-able."""
        return {
            "vision": dict(self.vision),
            "qformer": dict(self.qformer),
            "num_query_tokens": self.num_query_tokens,
        }


class MiniGPT4(nn.Module):
    """Takes images and token ids; returns next-token logits and their loss."""

    language_model: Any  # a PreTrainedModel, whose methods torch hides behind __getattr__

    def __init__(self, sizes: Sizes, language_model: nn.Module) -> None:
        super().__init__()
        vision = Blip2VisionConfig(**sizes.vision)
        qformer = Blip2QFormerConfig(encoder_hidden_size=vision.hidden_size, **sizes.qformer)
        self.sizes = sizes
        self.vision_model = Blip2VisionModel(vision)
        self.vision_model.post_layernorm.eps = LN_VISION_EPS
        self.query_tokens = nn.Parameter(
            torch.zeros(1, sizes.num_query_tokens, qformer.hidden_size)
        )
        self.qformer = Blip2QFormerModel(qformer)
        given: Any = language_model
        width = given.get_input_embeddings().embedding_dim
        self.language_projection = nn.Linear(qformer.hidden_size, width)
        self.language_model = language_model
        self.requires_grad_(requires_grad=False)
        self.language_projection.requires_grad_(requires_grad=True)
        self.eval()

    def train(self, mode: bool = True) -> MiniGPT4:
        """Set the projection to training; the frozen parts stay in eval mode, without dropout.

        The language model follows if it checkpoints activations, which it would not do in eval
        mode; Llama has no dropout.
        """
        super().train(mode=False)
        self.training = mode
        self.language_projection.train(mode)
        if any(
            getattr(part, "gradient_checkpointing", False) for part in self.language_model.modules()
        ):
            self.language_model.train(mode)
        return self

    def gradient_checkpointing_enable(self, **settings: Any) -> None:
        """Trade time for memory in the language model, the only part that is trained through."""
        self.language_model.gradient_checkpointing_enable(**settings)

    def encode_images(self, pixel_values: Tensor) -> Tensor:
        """Return (n, 32, width) embeddings for the language model of (n, 3, side, side) images."""
        features = self.vision_model(pixel_values).last_hidden_state  # ln_vision is its last norm
        queries = self.query_tokens.expand(len(features), -1, -1)
        outputs = self.qformer(
            query_embeds=queries, encoder_hidden_states=features
        ).last_hidden_state
        projected: Tensor = self.language_projection(outputs)
        return projected

    def embed(self, input_ids: Tensor, pixel_values: Tensor | None) -> Tensor:
        """Return (n, length, width): the embeddings of the ids, with images for placeholders."""
        images = None if pixel_values is None else self.encode_images(pixel_values)
        return embed(self.language_model.get_input_embeddings(), input_ids, images)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        **loss: Any,
    ) -> Any:
        """Return the language model's output; the loss is the mean over all labels of the batch."""
        return self.language_model(
            inputs_embeds=self.embed(input_ids, pixel_values),
            attention_mask=attention_mask,
            labels=labels,
            use_cache=False,
            **loss,
        )


# -- the names of the original code -----------------------------------------------------------

_RULES = (
    (r"visual_encoder\.cls_token", r"vision_model.embeddings.class_embedding"),
    (r"visual_encoder\.pos_embed", r"vision_model.embeddings.position_embedding"),
    (r"visual_encoder\.patch_embed\.proj\.(.+)", r"vision_model.embeddings.patch_embedding.\1"),
    (r"visual_encoder\.blocks\.(\d+)\.norm(\d)\.(.+)",
     r"vision_model.encoder.layers.\1.layer_norm\2.\3"),
    (r"visual_encoder\.blocks\.(\d+)\.mlp\.(.+)", r"vision_model.encoder.layers.\1.mlp.\2"),
    (r"visual_encoder\.blocks\.(\d+)\.attn\.qkv\.(weight)",
     r"vision_model.encoder.layers.\1.self_attn.qkv.\2"),
    (r"visual_encoder\.blocks\.(\d+)\.attn\.proj\.(.+)",
     r"vision_model.encoder.layers.\1.self_attn.projection.\2"),
    (r"ln_vision\.(.+)", r"vision_model.post_layernorm.\1"),
    (r"Qformer\.bert\.embeddings\.LayerNorm\.(.+)", r"qformer.layernorm.\1"),
    (r"Qformer\.bert\.encoder\.layer\.(\d+)\.(attention|crossattention)\.self\.(.+)",
     r"qformer.encoder.layer.\1.\2.attention.\3"),
    (r"Qformer\.bert\.encoder\.layer\.(\d+)\.(attention|crossattention)\.(output\..+)",
     r"qformer.encoder.layer.\1.\2.\3"),
    (r"Qformer\.bert\.encoder\.layer\.(\d+)\.((?:intermediate|output)_query\..+)",
     r"qformer.encoder.layer.\1.\2"),
    (r"(query_tokens)", r"\1"),
    (r"llama_proj\.(.+)", r"language_projection.\1"),
    (r"llama_model\.(.+)", r"language_model.\1"),
)  # fmt: skip
_FORWARD = tuple((re.compile(pattern), name) for pattern, name in _RULES)
_Q_BIAS = re.compile(r"visual_encoder\.blocks\.(\d+)\.attn\.q_bias")
_QKV_BIAS = "vision_model.encoder.layers.{}.self_attn.qkv.bias"


def from_original(state: Mapping[str, Tensor]) -> State:
    """Return a state dict under transformers' names, without weights that the model lacks.

    The original has biases only for query and value; those between them are zeros.
    """
    renamed: State = {}
    for name, tensor in state.items():
        block = _Q_BIAS.fullmatch(name)
        if block:
            value = state.get(name.replace("q_bias", "v_bias"))
            if value is None:
                raise PrerequisiteError(f"the weights hold {name}, but no v_bias for it")
            bias = torch.cat((tensor, torch.zeros_like(value), value))
            renamed[_QKV_BIAS.format(block[1])] = bias
            continue
        for pattern, new in _FORWARD:
            if pattern.fullmatch(name):
                renamed[pattern.sub(new, name)] = tensor
                break
    return renamed


def fit_state(model: MiniGPT4, state: State, *, source: str) -> State:
    """Return the weights of `state` that the model has, positions resized to its grid.

    Raises:
        PrerequisiteError: a tensor has another shape: a checkpoint of another architecture.
    """
    own = model.state_dict()
    fits = {name: tensor for name, tensor in state.items() if name in own}
    place = "vision_model.embeddings.position_embedding"
    if place in fits and fits[place].shape != own[place].shape:
        fits[place] = resized_positions(fits[place], own[place].shape[1])
    mismatched = [name for name, tensor in fits.items() if tensor.shape != own[name].shape]
    if mismatched:
        name = mismatched[0]
        raise PrerequisiteError(
            f"{source} is of another architecture: {name} is {tuple(fits[name].shape)}, the model "
            f"has {tuple(own[name].shape)} ({len(mismatched)} of {len(fits)} tensors differ)"
        )
    return fits


def resized_positions(positions: Tensor, length: int) -> Tensor:
    """Return (1, length, width) positions for another grid of patches, resized bicubically."""
    cls, grid = positions[:, :1], positions[:, 1:]
    before, after = round(grid.shape[1] ** 0.5), round((length - 1) ** 0.5)
    square = grid.reshape(1, before, before, -1).permute(0, 3, 1, 2).float()
    resized = nn.functional.interpolate(square, (after, after), mode="bicubic")
    flat = resized.permute(0, 2, 3, 1).reshape(1, after * after, -1)
    return torch.cat((cls, flat.to(positions.dtype)), dim=1)


def missing_weights(model: MiniGPT4, state: Iterable[str]) -> list[str]:
    """Return the names of the weights before the language model that `state` lacks."""
    own = {name for name in model.state_dict() if not name.startswith("language_model.")}
    return sorted(own - set(state))


def original_projection(model: MiniGPT4) -> State:
    """Return what the original's checkpoints hold under "model": the projection, and buffers.

    The original drops frozen parameters and keeps buffers, which it expects when it loads.
    """
    projection = model.language_projection.state_dict()
    state = {f"llama_proj.{name}": tensor.detach().cpu() for name, tensor in projection.items()}
    state["Qformer.bert.embeddings.position_ids"] = torch.arange(
        model.qformer.config.max_position_embeddings
    )[None]
    config = model.language_model.config
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    theta = float(rope_theta(config))
    frequencies = 1.0 / theta ** (torch.arange(0, head, 2, dtype=torch.float32) / head)
    for layer in range(config.num_hidden_layers):
        state[f"llama_model.model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = frequencies
    return state


def rope_theta(config: Any) -> float:
    """Return the base of the rotary frequencies, wherever this transformers keeps it."""
    rope = getattr(config, "rope_parameters", None) or {}
    return float(rope.get("rope_theta") or getattr(config, "rope_theta", None) or 10_000.0)
