"""Small random CLIP models of several kinds, saved as checkpoints and loaded by their path."""

from __future__ import annotations

import json

import pytest

VISION = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2}
COCA_TEXT = {**TEXT, "context_length": 76, "embed_cls": True, "output_tokens": True}
COCA_VISION = {**VISION, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True}
TWO_WAYS = {**TEXT, "no_causal_mask": True}

ARCHITECTURES = {
    "plain": {"vision_cfg": VISION, "text_cfg": TEXT},
    "custom": {"vision_cfg": VISION, "text_cfg": TEXT, "custom_text": True},
    "end-token": {
        "vision_cfg": VISION,
        "text_cfg": {**TEXT, "pool_type": "eos", "eos_id": 49407},
        "custom_text": True,
    },
    "two-ways": {"vision_cfg": VISION, "text_cfg": TWO_WAYS, "custom_text": True},
    "pooled-last": {
        "vision_cfg": VISION,
        "text_cfg": {**TEXT, "pool_type": "last", "proj_bias": True},
        "custom_text": True,
    },
    "resnet": {
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16},
        "text_cfg": TEXT,
    },
    "coca": {
        "vision_cfg": COCA_VISION,
        "text_cfg": COCA_TEXT,
        "multimodal_cfg": {**TEXT, "context_length": 76},
        "custom_text": True,
    },
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Make a random model of an architecture once; return the options that load it, in fp32."""
    open_clip = pytest.importorskip("open_clip")
    import torch

    folder = tmp_path_factory.mktemp("clip")
    made = {}

    def make(kind="plain"):
        if kind not in made:
            name, path = f"ig4-test-{kind}", folder / f"{kind}.pt"
            config = folder / f"{name}.json"
            config.write_text(json.dumps({"embed_dim": 32, **ARCHITECTURES[kind]}))
            open_clip.add_model_config(config)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                torch.save(open_clip.create_model(name).state_dict(), path)
            made[kind] = {"model": name, "pretrained": str(path)}
        return {**made[kind], "device": "cpu", "precision": "fp32"}

    return make
