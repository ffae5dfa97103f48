"""CLIP models through open_clip, loaded once in a process and shared by all components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ig4.core.files.images.decode import require_resizable
from ig4.plugins.models.cliploader import load
from ig4.plugins.models.texttower import TextTower, text_tower

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image as Picture

    from ig4.plugins.models.clipoptions import ClipModelOptions


@dataclass(frozen=True, slots=True)
class ClipModel:
    """A loaded model with its transform and tokenizer."""

    model: Any
    preprocess: Any
    tokenizer: Any
    device: str
    text: TextTower

    def prepare(self, picture: Picture) -> torch.Tensor:
        """Return open_clip's own evaluation transform of an RGB image, (3, size, size) float32.

        Raises:
            ImageShapeError: it is so narrow that it would become enormous on the way.
        """
        shorter = shorter_side(self.preprocess)
        if shorter is not None:
            require_resizable(picture.size, shorter)
        pixels: torch.Tensor = self.preprocess(picture)
        return pixels

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


def shorter_side(preprocess: Any) -> int | None:
    """Return what a transform resizes the shorter side of an image to, before it crops.

    None if the image becomes no larger than the model's input at any time.
    """
    for step in getattr(preprocess, "transforms", ()):
        size = getattr(step, "size", None)
        sizes = [size] if isinstance(size, int) else list(size or ())
        kind = type(step).__name__
        if kind == "Resize" and len(sizes) == 1:
            return int(sizes[0])
        if kind == "ResizeKeepRatio" and getattr(step, "longest", 0) != 1:
            return int(max(sizes))
    return None


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
