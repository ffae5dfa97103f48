"""The offline demonstration: a rendered data set, and a tiny CLIP model trained on such scenes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def tiny_clip_config() -> Path:
    """Return the path of the tiny model's open_clip configuration."""
    return Path(str(files(__name__) / "ig4-tiny.json"))


def tiny_clip_weights() -> Path:
    """Return the path of the tiny model's weights."""
    return Path(str(files(__name__) / "ig4-tiny.safetensors"))
