"""MiniGPT-4 at its published size under its original names, in files that take no space.

Every tensor is one stored number seen at all places of its shape, so that whole architectures can
be written, loaded and put together without their gigabytes.
"""

from __future__ import annotations

from pathlib import Path

import torch

WIDTH, MLP, BLOCKS = 1408, 6144, 39
HIDDEN, FFN, LAYERS, QUERIES = 768, 3072, 12, 32


def wide(*shape: int, value: float = 0.5) -> torch.Tensor:
    """Return a tensor of one stored number."""
    return torch.full((1,), value).expand(*shape) if shape else torch.tensor(value)


def eva(prefix: str = "", blocks: int = BLOCKS + 1, side: int = 224) -> dict[str, torch.Tensor]:
    """EVA ViT-g's own file, which has one block more than MiniGPT-4 uses, a norm and a head."""
    state = {
        "cls_token": wide(1, 1, WIDTH),
        "pos_embed": wide(1, (side // 14) ** 2 + 1, WIDTH),
        "patch_embed.proj.weight": wide(WIDTH, 3, 14, 14),
        "patch_embed.proj.bias": wide(WIDTH),
        "fc_norm.weight": wide(WIDTH),
        "head.weight": wide(1000, WIDTH),
    }
    for n in range(blocks):
        block = {
            "norm1.weight": wide(WIDTH), "norm1.bias": wide(WIDTH),
            "attn.q_bias": wide(WIDTH), "attn.v_bias": wide(WIDTH, value=0.25),
            "attn.qkv.weight": wide(3 * WIDTH, WIDTH),
            "attn.proj.weight": wide(WIDTH, WIDTH), "attn.proj.bias": wide(WIDTH),
            "norm2.weight": wide(WIDTH), "norm2.bias": wide(WIDTH),
            "mlp.fc1.weight": wide(MLP, WIDTH), "mlp.fc1.bias": wide(MLP),
            "mlp.fc2.weight": wide(WIDTH, MLP), "mlp.fc2.bias": wide(WIDTH),
        }  # fmt: skip
        state |= {f"blocks.{n}.{name}": value for name, value in block.items()}
    return {prefix + name: value for name, value in state.items()}


def qformer() -> dict[str, torch.Tensor]:
    """BLIP-2's file: Q-Former with text branches, queries, ln_vision, a projection of its own."""
    bert = "Qformer.bert."
    state = {
        "query_tokens": wide(1, QUERIES, HIDDEN),
        "ln_vision.weight": wide(WIDTH), "ln_vision.bias": wide(WIDTH),
        f"{bert}embeddings.position_ids": torch.arange(512)[None],
        f"{bert}embeddings.LayerNorm.weight": wide(HIDDEN),
        f"{bert}embeddings.LayerNorm.bias": wide(HIDDEN),
        f"{bert}embeddings.word_embeddings.weight": wide(30523, HIDDEN),
        "t5_proj.weight": wide(4096, HIDDEN), "t5_proj.bias": wide(4096),
    }  # fmt: skip

    def dense(name: str, out: int, into: int) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = wide(out, into), wide(out)

    def norm(name: str) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = wide(HIDDEN), wide(HIDDEN)

    for n in range(LAYERS):
        layer = f"{bert}encoder.layer.{n}."
        kinds = {"attention": HIDDEN} | ({"crossattention": WIDTH} if n % 2 == 0 else {})
        for kind, seen in kinds.items():
            dense(f"{layer}{kind}.self.query", HIDDEN, HIDDEN)
            dense(f"{layer}{kind}.self.key", HIDDEN, seen)
            dense(f"{layer}{kind}.self.value", HIDDEN, seen)
            dense(f"{layer}{kind}.output.dense", HIDDEN, HIDDEN)
            norm(f"{layer}{kind}.output.LayerNorm")
        for branch in ("", "_query"):
            dense(f"{layer}intermediate{branch}.dense", FFN, HIDDEN)
            dense(f"{layer}output{branch}.dense", HIDDEN, FFN)
            norm(f"{layer}output{branch}.LayerNorm")
    return state


def projection(width: int) -> dict[str, torch.Tensor]:
    """The first stage's projection, as the original's checkpoints hold it."""
    return {"llama_proj.weight": wide(width, HIDDEN), "llama_proj.bias": wide(width)}


def write(folder: Path, width: int) -> dict[str, Path]:
    """Write the three original files; returns the options that name them."""
    torch.save(eva(), folder / "eva_vit_g.pth")
    torch.save({"model": qformer()}, folder / "qformer.pth")
    torch.save({"model": projection(width), "epoch": 3}, folder / "first_stage.pth")
    return {
        "vit": folder / "eva_vit_g.pth",
        "qformer": folder / "qformer.pth",
        "checkpoint": folder / "first_stage.pth",
    }
