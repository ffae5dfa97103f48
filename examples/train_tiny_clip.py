"""Train the tiny CLIP model that ships with ig4, from nothing, on freshly drawn scenes.

    python examples/train_tiny_clip.py            # about a quarter of an hour on two cores

The scenes come from seeds that no demonstration uses, and all captions are true: the model
never sees a spoilt sample. Prints how well it tells true from swapped answers on scenes that
it was not trained on.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from torch.nn import functional

from ig4.plugins import demo
from ig4.plugins.demo.scenes import draw_scene, render
from ig4.plugins.demo.words import conversation, sentences

TRAINING_SEED = 1_000_000
HELD_OUT_SEED = 2_000_000


def draw(count: int, seed: int, side: int) -> tuple[torch.Tensor, list]:
    """Return pixels (n, 3, side, side) uint8 and the scenes."""
    pixels = np.empty((count, side, side, 3), dtype=np.uint8)
    scenes = []
    for n in range(count):
        rng = random.Random(seed + n)
        scene = draw_scene(rng)
        pixels[n] = np.asarray(render(scene, rng).resize((side, side), 3))
        scenes.append(scene)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), scenes


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """Return open_clip's own normalisation of uint8 pixels."""
    mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN).view(1, 3, 1, 1)
    std = torch.tensor(open_clip.OPENAI_DATASET_STD).view(1, 3, 1, 1)
    return (pixels.float() / 255 - mean) / std


def caption(scene, rng: random.Random) -> str:
    """Return one to three true sentences, so that single ones match their scene too."""
    texts = sentences(scene, rng)
    return ". ".join(
        s.rstrip(".") for s in rng.sample(texts, min(len(texts), rng.choice((1, 1, 2, 3))))
    )


def train(model, tokenizer, pixels, scenes, *, steps: int, batch: int, seed: int) -> None:
    torch.manual_seed(seed)
    rng = random.Random(seed)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
        lr=1.5e-3, betas=(0.9, 0.98),
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.5e-3, total_steps=steps, pct_start=0.08
    )
    began = time.time()
    model.train()
    for step in range(steps):
        rows = rng.sample(range(len(scenes)), batch)
        tokens = tokenizer([caption(scenes[row], rng) for row in rows])
        image = functional.normalize(model.encode_image(normalised(pixels[rows])), dim=-1)
        text = functional.normalize(model.encode_text(tokens), dim=-1)
        logits = model.logit_scale.exp() * image @ text.T
        target = torch.arange(batch)
        loss = (
            functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        ) / 2
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=4.6052)
        if step % 50 == 0 or step == steps - 1:
            print(
                f"step {step:5d}  loss {loss.item():.3f}  {time.time() - began:.0f} s", flush=True
            )
    model.eval()


@torch.inference_mode()
def evaluate(model, tokenizer, pixels, scenes) -> None:
    """Print how well true answers are told from swapped ones by the mean sentence cosine."""
    image = functional.normalize(model.encode_image(normalised(pixels)), dim=-1)
    rng = random.Random(0)

    def rate(answers: list[str]) -> np.ndarray:
        scores = []
        for row, answer in enumerate(answers):
            parts = [part.strip() for part in answer.split(".") if part.strip()][:10]
            text = functional.normalize(model.encode_text(tokenizer(parts)), dim=-1)
            scores.append(100 * float((text @ image[row]).mean()))
        return np.array(scores)

    answers = [" ".join(a for _, a in conversation(scene, rng)) for scene in scenes]
    true, swapped = rate(answers), rate(answers[1:] + answers[:1])
    vague = rate(["There are some things in the picture. It looks nice."] * len(scenes))
    auc = (true[:, None] > swapped[None, :]).mean()
    print(f"held out: {len(scenes)} scenes, AUC of true against swapped {auc:.4f}")
    means = {"true": true, "swapped": swapped, "vague": vague}
    text = ", ".join(f"{name} {scores.mean():.1f}" for name, scores in means.items())
    print(f"mean score: {text}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--scenes", type=int, default=16_000)
    options.add_argument("--steps", type=int, default=2_600)
    options.add_argument("--batch", type=int, default=128)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, default=demo.tiny_clip_weights())
    chosen = options.parse_args()
    torch.manual_seed(chosen.seed)
    open_clip.add_model_config(demo.tiny_clip_config())
    model = open_clip.create_model("ig4-tiny")
    tokenizer = open_clip.get_tokenizer("ig4-tiny")
    side = model.visual.image_size[0]
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    pixels, scenes = draw(chosen.scenes, TRAINING_SEED, side)
    print(f"{chosen.scenes:,} scenes drawn", flush=True)
    train(
        model, tokenizer, pixels, scenes, steps=chosen.steps, batch=chosen.batch, seed=chosen.seed
    )
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, chosen.out)
    chosen.out.chmod(0o644)  # safetensors lets the owner alone read it; a package is for everyone
    model.load_state_dict({name: value.float() for name, value in weights.items()})
    evaluate(model, tokenizer, *draw(200, HELD_OUT_SEED, side))
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
