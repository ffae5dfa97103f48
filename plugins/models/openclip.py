"""CLIP models through open_clip, loaded once in a process and shared by all components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ig4.plugins.models.cliploader import load
from ig4.plugins.models.texttower import TextTower, text_tower

if TYPE_CHECKING:
    import torch

    from ig4.plugins.models.clipoptions import ClipModelOptions


@dataclass(frozen=True, slots=True)
class ClipModel:
    """A loaded model with its transform and tokenizer."""

    model: Any
    preprocess: Any
    tokenizer: Any
    device: str
    text: TextTower

    def encode_images(self, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return embeddings (n, d) float32 on the CPU, not normalised."""
        import torch

        pixels = torch.stack(list(batch)).to(self.device)
        with torch.inference_mode():
            features: torch.Tensor = self.model.encode_image(pixels).float().cpu()
        return features

    def encode_texts(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return normalised embeddings (n, d) float32 of token ids (n, length) on the CPU."""
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            features = self.text.encode(tokens.to(self.device))
            normal: torch.Tensor = functional.normalize(features.float(), dim=-1).cpu()
        return normal


_loaded: dict[tuple[Any, ...], tuple[ClipModel, int]] = {}


def acquire(options: ClipModelOptions) -> ClipModel:
    """Return the model of these options, and load it if no other component has.

    Call `release` when you no longer need it.

    Raises:
        UsageError: an unknown architecture or tag.
        PrerequisiteError: weights or device are not there.
    """
    key = _key(options)
    clip, users = _loaded[key] if key in _loaded else (_load(options), 0)
    _loaded[key] = (clip, users + 1)
    return clip


def release(options: ClipModelOptions) -> None:
    """Release a model; the last release frees it."""
    key = _key(options)
    if key in _loaded:
        clip, users = _loaded.pop(key)
        if users > 1:
            _loaded[key] = (clip, users - 1)


def _key(options: ClipModelOptions) -> tuple[Any, ...]:
    return (
        options.architecture,
        options.path or options.tag,
        options.resolved_precision,
        options.resolved_device,
        options.cache_dir,
    )


def _load(options: ClipModelOptions) -> ClipModel:
    model, preprocess, tokenizer = load(options)
    return ClipModel(
        model=model,
        preprocess=preprocess,
        tokenizer=tokenizer,
        device=options.resolved_device,
        text=text_tower(model),
    )
