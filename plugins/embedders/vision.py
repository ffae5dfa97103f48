"""Vectors of images by vision encoders: DINOv2, SigLIP, ViT, ConvNeXt and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ig4.core.contracts import Embedder
from ig4.core.errors import UsageError
from ig4.core.files.images.decode import require_resizable
from ig4.plugins.models.encoders import EncoderOptions, encoder_identity, load_encoder

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from ig4.core.contracts import Digest
    from ig4.core.records import JSON


class VisionOptions(EncoderOptions):
    """Options of the embedder `vision`."""

    model: str = Field(
        "facebook/dinov2-base", description="Vision encoder of the Hugging Face hub, or a folder."
    )
    pooling: Literal["auto", "pooler", "cls", "mean"] = Field(
        "auto",
        description="pooler: the model's own; cls: its first token; mean: over its patches; "
        "auto: the first of these that the model has.",
    )
    batch_size: int = Field(32, ge=1, description="Images in one forward pass.")


class Vision(Embedder):
    """Embeds images with any vision encoder, or the image tower of a two-tower model."""

    version = "1"
    Options = VisionOptions
    options: VisionOptions
    _model: Any = None
    _processor: Any = None
    _pooling: str = "pooler"

    @property
    def batch_size(self) -> int:
        """How many images one forward pass takes."""
        return self.options.batch_size

    def identity(self, digest: Digest) -> Mapping[str, JSON]:
        """Return model, precision and pooling."""
        return {**encoder_identity(self.options, digest), "pooling": self.options.pooling}

    def open(self) -> None:
        """Load the model.

        Raises:
            PrerequisiteError: weights or device are not there.
            UsageError: the model has nothing of what `pooling` asks for.
        """
        model, self._processor, missing = load_encoder(self.options, "vision", "AutoImageProcessor")
        self._model = model.vision_model if hasattr(model, "vision_model") else model
        untrained = any("pooler" in key or "head" in key for key in missing)
        self._pooling = _pooling_of(self.options, self._model, untrained=untrained)

    def close(self) -> None:
        """Free the model."""
        self._model = self._processor = None

    def prepare(self, image: Picture) -> Any:
        """Return what the model's own image processor makes of an RGB image, (3, h, w).

        Raises:
            ImageShapeError: it is so narrow that it would become enormous on the way.
        """
        shortest = (getattr(self._processor, "size", None) or {}).get("shortest_edge")
        if shortest:
            require_resizable(image.size, int(shortest))
        return self._processor(images=image, return_tensors="pt")["pixel_values"][0]

    def embed(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return (n, d) float32, not normalised."""
        import torch

        if len({tuple(pixels.shape) for pixels in batch}) > 1:  # no size that all images have
            return np.concatenate([self.embed([pixels]) for pixels in batch])
        weights = next(self._model.parameters())
        pixels = torch.stack(list(batch)).to(weights.device, weights.dtype)
        with torch.inference_mode():
            output = self._model(pixel_values=pixels)
            pooled = pool(output, self._pooling, _special_tokens(self._model)).float()
        found: NDArray[np.float32] = pooled.reshape(len(batch), -1).cpu().numpy()
        return np.ascontiguousarray(found)


def _pooling_of(options: VisionOptions, model: Any, *, untrained: bool) -> str:
    """Return what a model's vectors are; a pooler that the checkpoint has no weights of is none."""
    names = [name for name, _ in model.named_modules()]
    has_pooler = not untrained and any(
        part in name.split(".") for name in names for part in ("pooler", "head")
    )
    pooled_otherwise = type(model).__name__.startswith(("Dinov2", "CLIPVision"))  # a norm of CLS
    has_pooler = has_pooler or pooled_otherwise
    has_cls = _special_tokens(model) > 0
    if options.pooling == "pooler" and not has_pooler:
        raise UsageError(
            f"{options.model} has no trained pooler: set pooling to cls or mean "
            "(-o vision.pooling=mean)"
        )
    if options.pooling == "cls" and not has_cls:
        raise UsageError(
            f"{options.model} has no first token for all of an image: set pooling to mean "
            "(-o vision.pooling=mean)"
        )
    if options.pooling != "auto":
        return options.pooling
    return "pooler" if has_pooler else "cls" if has_cls else "mean"


def _special_tokens(model: Any) -> int:
    """Return how many tokens stand before those of the patches: the first, and registers."""
    names = [name.rpartition(".")[2] for name, _ in model.named_parameters()]
    if not {"cls_token", "class_embedding"} & set(names):
        return 0
    return 1 + int(getattr(model.config, "num_register_tokens", 0) or 0)


def pool(output: Any, how: str, special: int) -> torch.Tensor:
    """Return one vector (n, d) of a vision model's output."""
    hidden: torch.Tensor = output.last_hidden_state
    if how == "pooler" and getattr(output, "pooler_output", None) is not None:
        pooled: torch.Tensor = output.pooler_output
        return pooled
    if hidden.ndim == 4:  # of a convolutional network, (n, d, h, w)
        return hidden.flatten(2).mean(dim=2)
    if how == "cls":
        return hidden[:, 0]
    return hidden[:, special:].mean(dim=1)
