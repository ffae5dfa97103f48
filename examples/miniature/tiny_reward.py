"""The reward model of the small world: does this answer belong to this instruction?

It is trained on clean conversations about pictures outside the instruction set, to rate an answer
above one that was given in another conversation. It sees texts alone, and knows none of the ways
in which the instruction set is spoilt.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import instructions
import torch
import world
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the model is, and how long it is trained."""

    width: int = 64
    layers: int = 2
    steps: int = 700
    batch: int = 24
    rate: float = 1e-3


def make(
    folder: Path, scenes: Sequence[world.Scene], words: Any, sizes: Sizes, seed: int = 0
) -> None:
    """Train a model on conversations and write it; `words` is the base model's tokenizer."""
    torch.manual_seed(seed)
    tokenizer = tokenizer_of(words)
    model = model_of(tokenizer, sizes)
    train(model, tokenizer, scenes, sizes, seed)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def tokenizer_of(words: Any) -> Any:
    """Return a tokenizer of the same words that joins instruction and answer as BERT's does."""
    import transformers
    from tokenizers import Tokenizer, processors

    made = Tokenizer.from_str(words.backend_tokenizer.to_str())
    made.add_special_tokens(["[CLS]", "[SEP]"])
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )  # fmt: skip
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=256,
    )  # fmt: skip


def model_of(tokenizer: Any, sizes: Sizes) -> Any:
    """Return a small BERT with one output and random weights."""
    import transformers

    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=len(tokenizer), hidden_size=sizes.width, num_hidden_layers=sizes.layers,
            num_attention_heads=4, intermediate_size=3 * sizes.width,
            max_position_embeddings=256, pad_token_id=tokenizer.pad_token_id, num_labels=1,
            initializer_range=0.1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )
    )  # fmt: skip


def train(
    model: Any, tokenizer: Any, scenes: Sequence[world.Scene], sizes: Sizes, seed: int
) -> None:
    """Train by -log sigmoid(own - other), as reward models are."""
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), sizes.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, sizes.rate, total_steps=sizes.steps, pct_start=0.08
    )
    began = time.perf_counter()
    model.train()
    for step in range(sizes.steps):
        instruction, own, others = zip(
            *(example(scenes, rng) for _ in range(sizes.batch)), strict=True
        )
        inputs = tokenizer(
            [*instruction, *instruction], [*own, *others], padding=True, return_tensors="pt"
        )
        rewards = model(**inputs).logits.view(2, -1)
        loss = -functional.logsigmoid(rewards[0] - rewards[1]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == sizes.steps - 1:
            right = (rewards[0] > rewards[1]).float().mean().item()
            spent = time.perf_counter() - began
            print(f"  step {step:5,}  loss {loss.item():.3f}  right {right:.2f}  {spent:.0f} s",
                  flush=True)  # fmt: skip
    model.eval()


def example(scenes: Sequence[world.Scene], rng: random.Random) -> tuple[str, str, str]:
    """Return an instruction, its answer, and one given elsewhere: one turn, or a conversation."""
    one, other = rng.sample(range(len(scenes)), 2)
    mine = instructions.conversation(scenes[one], rng)
    theirs = instructions.conversation(scenes[other], rng)
    if rng.random() < 0.6:
        mine, theirs = mine[:1], theirs[:1]
    instruction = "\n".join(question for question, _ in mine)
    return instruction, *("\n".join(answer for _, answer in turns) for turns in (mine, theirs))
