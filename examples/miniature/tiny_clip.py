"""The CLIP model of the small world, trained on clean captions of pictures outside the set.

It is written as open_clip reads folders, so that ig4's scorer `clip` loads it as any other model.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import base
import numpy as np
import torch
import world
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the model is, and how long it is trained."""

    width: int = 96
    layers: int = 3
    steps: int = 600
    batch: int = 64
    rate: float = 1.5e-3


def make(folder: Path, scenes: Sequence[world.Scene], sizes: Sizes, seed: int = 0) -> None:
    """Train a model on pictures and write it."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "embed_dim": 64,
        "vision_cfg": {
            "image_size": world.SIDE, "layers": sizes.layers, "width": sizes.width,
            "head_width": 24, "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 32, "vocab_size": 49408, "width": 64, "heads": 4, "layers": 2,
        },
    }  # fmt: skip
    written = {"model_cfg": config, "preprocess_cfg": {"size": world.SIDE}}
    (folder / "open_clip_config.json").write_text(json.dumps(written, indent=1), encoding="utf-8")
    model = open_clip.CLIP(**config)
    tokenizer = open_clip.SimpleTokenizer(context_length=config["text_cfg"]["context_length"])
    train(model, tokenizer, scenes, sizes, seed)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")


def random_text(facts: world.Facts, rng: random.Random) -> str:
    """Return a caption, or one sentence of a description: the scorer rates sentences."""
    if rng.random() < 0.5:
        return world.caption(facts, rng)
    sentences = world.description(facts, rng).split(". ")
    return rng.choice(sentences[:2]).rstrip(".")


def train(
    model: Any, tokenizer: Any, scenes: Sequence[world.Scene], sizes: Sizes, seed: int
) -> None:
    """Train by telling which caption of a batch belongs to which picture."""
    rng = random.Random(seed)
    pixels = [world.pixels_of(scene.path) for scene in scenes]
    optimizer = torch.optim.AdamW(model.parameters(), sizes.rate, (0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, sizes.rate, total_steps=sizes.steps, pct_start=0.08
    )
    began = time.perf_counter()
    model.train()
    for step in range(sizes.steps):
        rows = rng.sample(range(len(scenes)), min(sizes.batch, len(scenes)))
        images, facts = zip(
            *(world.move_shape(pixels[at], scenes[at].facts, rng) for at in rows), strict=True
        )
        image_features = model.encode_image(base.normalised(np.stack(images)), normalize=True)
        text_features = model.encode_text(
            tokenizer([random_text(one, rng) for one in facts]), normalize=True
        )
        logits = model.logit_scale.exp() * image_features @ text_features.T
        own = torch.arange(len(rows))
        loss = (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=4.6052)
        if step % 100 == 0 or step == sizes.steps - 1:
            spent = time.perf_counter() - began
            print(f"  step {step:5,}  contrast {loss.item():.3f}  {spent:.0f} s", flush=True)
    model.eval()
