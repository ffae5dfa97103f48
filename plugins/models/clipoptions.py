"""The options that name a CLIP model: architecture, weights, precision and device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ig4.core import contracts
from ig4.core.errors import PrerequisiteError
from ig4.plugins import demo
from ig4.plugins.models import hardware

if TYPE_CHECKING:
    from ig4.core.contracts import Digest
    from ig4.core.records import JSON

TINY = "ig4-tiny"
"""The model that ships with ig4, for demonstrations and tests."""

DEFAULT_PRETRAINED: Mapping[str, str] = {
    "ViT-B-32": "laion2b_s34b_b79k",
    "ViT-B-16": "laion2b_s34b_b88k",
    "ViT-L-14": "laion2b_s32b_b82k",
    "ViT-H-14": "laion2b_s32b_b79k",
    "ViT-g-14": "laion2b_s34b_b88k",
    "ViT-bigG-14": "laion2b_s39b_b160k",
}
"""The LAION-2B weights of the usual architectures: the default without `pretrained`."""

_HUB, _FOLDER = "hf-hub:", "local-dir:"
_CHECKPOINTS = (".bin", ".npz", ".pt", ".pth", ".safetensors")


class ClipModelOptions(contracts.Options):
    """Which CLIP model, how precise, and where."""

    model: str = Field(
        "ViT-B-32",
        description="open_clip architecture, hf-hub:NAME, local-dir:FOLDER, or ig4-tiny.",
    )
    pretrained: str | None = Field(
        None,
        description="open_clip tag, or path of a checkpoint file; by default the LAION-2B tag.",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto",
        description="auto: bf16 or fp16 where the hardware computes it fast, else fp32.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="auto, cpu, cuda, cuda:1 or mps.",
    )
    cache_dir: str | None = Field(None, description="Folder for downloaded weights.")

    @model_validator(mode="after")
    def _weights_are_named_once(self) -> ClipModelOptions:
        if self.pretrained is not None and (self.hosted or self.tiny):
            raise ValueError(f"{self.model} brings its own weights: leave pretrained out")
        return self

    @property
    def tiny(self) -> bool:
        """Whether this is the model that ships with ig4."""
        return self.model == TINY

    @property
    def hosted(self) -> bool:
        """Whether architecture and weights come together, from a hub or a folder."""
        return self.model.startswith((_HUB, _FOLDER))

    @property
    def architecture(self) -> str:
        """The model's name as open_clip writes it: ViT-B-32 for ViT-B/32."""
        if self.model.startswith(_FOLDER):
            return f"{_FOLDER}{self.path}"
        return self.model if self.hosted else self.model.replace("/", "-")

    @property
    def path(self) -> Path | None:
        """The checkpoint file or folder on this machine; None for weights that have a name."""
        if self.tiny:
            return demo.tiny_clip_weights()
        if self.model.startswith(_FOLDER):
            return Path(self.model.removeprefix(_FOLDER)).expanduser()
        if self.pretrained is None:
            return None
        path = Path(self.pretrained).expanduser()
        like_a_path = len(path.parts) > 1 or path.suffix in _CHECKPOINTS
        return path if like_a_path or path.is_file() else None

    @property
    def tag(self) -> str | None:
        """The name of weights that open_clip downloads, if they have one."""
        if self.hosted or self.path is not None:
            return None
        return self.pretrained or DEFAULT_PRETRAINED.get(self.architecture)

    @property
    def resolved_device(self) -> str:
        """The torch device in use."""
        return hardware.device(self.device)

    @property
    def resolved_precision(self) -> hardware.Precision:
        """The precision in use."""
        return hardware.precision(self.precision, self.resolved_device)


def clip_identity(options: ClipModelOptions, digest: Digest) -> dict[str, JSON]:
    """Return what embeddings depend on: architecture, weights by content, precision.

    Raises:
        PrerequisiteError: the path names no checkpoint.
    """
    path, weights = options.path, options.tag
    if path is not None:
        if not (path.is_dir() if options.hosted else path.is_file()):
            kind = "folder" if options.hosted else "checkpoint file"
            raise PrerequisiteError(f"{path}: there is no such {kind}; name an existing one")
        weights = "sha256:" + digest(path)
    return {
        # A folder counts by its content, wherever it is.
        "model": "local-dir" if options.model.startswith(_FOLDER) else options.architecture,
        "weights": weights,
        "precision": options.resolved_precision,
    }
