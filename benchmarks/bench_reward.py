"""Reward scores sorted and in batches against one text at a time.

    python benchmarks/bench_reward.py [CAPTIONS.json] [--limit 1000] [--layers 2] [--width 64]

A DeBERTa-v2 with random weights of the given size stands in for a reward model: speed does not
depend on what weights say.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from bench_calls import SHARED, read  # noqa: E402 - found by the line above
from tiny_reward import tokenizer_of  # noqa: E402 - as above

from ig4.core.records import Sample, Score  # noqa: E402 - as above
from ig4.plugins.scorers.reward import Reward, RewardOptions  # noqa: E402 - as above


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = SHARED / "data" / "instructiongpt4" / "full_score_data.json"
    parser.add_argument("captions", nargs="?", type=Path, default=default)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=64)
    given = parser.parse_args()
    rows = read(given.captions)
    rows = rows[:: max(1, len(rows) // given.limit)]
    batch = [Sample(r["image_id"], "Describe this image in detail.", r["caption"]) for r in rows]
    with tempfile.TemporaryDirectory(prefix="ig4-bench-") as folder:
        make(Path(folder), given.layers, given.width)
        one, alone = measure(folder, batch, 1)
        many, together = measure(folder, batch, 16)
    off = np.abs(alone - together).max()
    print(
        f"{len(batch)} captions, {given.layers} layers of {given.width}: one by one {one:.1f}/s, "
        f"sorted in batches {many:.1f}/s: {many / one:.2f} times (goal 2); "
        f"largest difference {off:.1e}"
    )


def make(folder: Path, layers: int, width: int) -> None:
    specials = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = tokenizer_of(folder, specials)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder)
    config = transformers.DebertaV2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        max_position_embeddings=512,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_buckets=256,
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1,
    )
    torch.manual_seed(0)
    transformers.DebertaV2ForSequenceClassification(config).save_pretrained(folder)


def measure(folder: str, batch: list[Sample], size: int) -> tuple[float, np.ndarray]:
    scorer = Reward(RewardOptions(model=folder, device="cpu", forward_batch_size=size))
    scorer.open()
    try:
        scorer.score(batch)  # torch compiles some of DeBERTa's steps for each new length
        began = time.perf_counter()
        given = scorer.score(batch)
        seconds = time.perf_counter() - began
    finally:
        scorer.close()
    assert all(isinstance(one, Score) for one in given)
    return len(batch) / seconds, np.array([one.value for one in given])


if __name__ == "__main__":
    main()
