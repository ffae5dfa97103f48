"""LLaVA-1.5 on transformers' class, with embeddings as input: it needs no `<image>` token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ig4.plugins.training.placeholders import embed

LAYER = -2
"""The layer of the vision tower whose hidden states the projector takes, without CLS."""


class Llava(nn.Module):
    """Takes token ids with placeholders, and images; returns logits and their loss.

    `model` is a `LlavaForConditionalGeneration`, or PEFT's wrapper of one. An `<image>` row in the
    vocabulary would add a logit to every softmax that the original did not have.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def plain(self) -> Any:
        """The model without PEFT's wrapper."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    @property
    def vectors(self) -> int:
        """The number of vectors of an image: its patches."""
        vision = self.plain.config.vision_config
        return int((vision.image_size // vision.patch_size) ** 2)

    @property
    def image_size(self) -> int:
        """The side of the square images, in pixels."""
        return int(self.plain.config.vision_config.image_size)

    def gradient_checkpointing_enable(self, **settings: Any) -> None:
        """Trade time for memory."""
        self.model.gradient_checkpointing_enable(**settings)

    def vision_features(self, pixel_values: Tensor) -> Tensor:
        """Return (n, patches, width) of the tower, which is frozen: no graph is built."""
        tower = self.plain.model.vision_tower
        hidden = tower(pixel_values, output_hidden_states=True).hidden_states
        features: Tensor = hidden[LAYER][:, 1:]
        return features

    def encode_images(self, pixel_values: Tensor) -> Tensor:
        """Return (n, patches, width of the language model)."""
        projected: Tensor = self.plain.model.multi_modal_projector(
            self.vision_features(pixel_values)
        )
        return projected

    def embed(self, input_ids: Tensor, pixel_values: Tensor | None) -> Tensor:
        """Return (n, length, width): the embeddings of the ids, with images for placeholders."""
        images = None if pixel_values is None else self.encode_images(pixel_values)
        return embed(self.plain.get_input_embeddings(), input_ids, images)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        **loss: Any,
    ) -> Any:
        """Return the language model's output; the loss is the mean over all labels of the batch."""
        return self.model(
            inputs_embeds=self.embed(input_ids, pixel_values),
            attention_mask=attention_mask,
            labels=labels,
            use_cache=False,
            **loss,
        )


_RULES = (
    (r"model\.vision_tower\.vision_tower\.(.+)", r"model.vision_tower.\1"),
    (r"model\.mm_projector\.0\.(.+)", r"model.multi_modal_projector.linear_1.\1"),
    (r"model\.mm_projector\.2\.(.+)", r"model.multi_modal_projector.linear_2.\1"),
    (r"(lm_head\..+)", r"\1"),
    (r"model\.((?:embed_tokens|layers|norm)\..+)", r"model.language_model.\1"),
)
_FORWARD = tuple((re.compile(pattern), name) for pattern, name in _RULES)


def from_original(state: Mapping[str, Tensor], own: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return a state dict of the original code under transformers' names.

    `own` holds the model's own names, which distinguish the two names that transformers has had
    for the vision tower.
    """
    renamed_state = {}
    for name, value in state.items():
        for pattern, new in _FORWARD:
            if pattern.fullmatch(name):
                renamed = pattern.sub(new, name)
                if renamed not in own:
                    renamed = renamed.replace("vision_tower.vision_model.", "vision_tower.")
                renamed_state[renamed] = value
                break
    return renamed_state


def original_projector(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the projector as the original's `mm_projector.bin` holds it."""
    names = {"linear_1": "0", "linear_2": "2"}
    renamed_state = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        number = names.get(layer.rpartition(".")[2])
        if "multi_modal_projector" in layer and number:
            renamed_state[f"model.mm_projector.{number}.{kind}"] = value.detach().cpu().contiguous()
    return renamed_state
