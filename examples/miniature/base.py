"""The base model: a LLaVA of less than a million parameters, pretrained from nothing on clean data.

It learns what models of MiniGPT-4's kind know before they are tuned on instructions: its vision
tower and projector see pictures with captions as the web has them; its language model reads
dialogues about scenes that are told in words. It was never asked about a picture.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import world
from torch.nn import functional

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
_SPECIALS = ("<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<image>")
_IGNORED = -100
_WHAT = ("{0}", "{1}.", "it is {0}", "I would say {0}.", "The answer is {0}.")
_WHETHER = ("{0}", "{1}.", "{0}, i think", "{1}, that is so.")

Exchange = tuple[str, str]
_MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(1, 3, 1, 1)
_STD = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(1, 3, 1, 1)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the model is, and how long it is pretrained."""

    width: int = 96
    vision_layers: int = 3
    layers: int = 3
    patch: int = 16
    seeing: int = 900
    steps: int = 700
    batch: int = 32
    rate: float = 1.5e-3


def make(folder: Path, scenes: Sequence[world.Scene], sizes: Sizes, seed: int = 0) -> None:
    """Pretrain a model on pictures and write it as transformers does."""
    torch.manual_seed(seed)
    tokenizer = tokenizer_of(scenes)
    model = model_of(tokenizer, sizes)
    see(model, scenes, sizes, seed)
    pretrain(model, tokenizer, scenes, sizes, seed)
    model.save_pretrained(folder)
    processor_of(tokenizer, sizes).save_pretrained(folder)


def tokenizer_of(scenes: Sequence[world.Scene]) -> Any:
    """Return a byte-level BPE tokenizer trained on what is said of pictures."""
    import tokenizers
    import transformers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=512, special_tokens=list(_SPECIALS), show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    rng = random.Random(0)
    texts = [text for scene in scenes for text in scene_texts(scene, rng)]
    made.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<|pad|>", eos_token="<|end|>", unk_token=None
    )


def model_of(tokenizer: Any, sizes: Sizes) -> Any:
    """Return the model with random weights."""
    import transformers

    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            hidden_size=sizes.width, intermediate_size=4 * sizes.width,
            num_hidden_layers=sizes.vision_layers, num_attention_heads=4,
            image_size=world.SIDE, patch_size=sizes.patch,
        ),
        text_config=transformers.LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=sizes.width,
            intermediate_size=3 * sizes.width, num_hidden_layers=sizes.layers,
            num_attention_heads=4, max_position_embeddings=512, tie_word_embeddings=False,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )  # fmt: skip
    model = transformers.LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def processor_of(tokenizer: Any, sizes: Sizes) -> Any:
    """Return what makes the model's inputs of texts and pictures."""
    import transformers

    side = {"height": world.SIDE, "width": world.SIDE}
    return transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(size=side, crop_size=side, do_resize=False),
        tokenizer, patch_size=sizes.patch, vision_feature_select_strategy="default",
        chat_template=TEMPLATE, image_token="<image>", num_additional_image_tokens=1,
    )  # fmt: skip


def scene_texts(scene: world.Scene, rng: random.Random) -> list[str]:
    """Return what is said of a scene and asked about one: texts to learn words from."""
    said = [text for exchange in dialogue(scene, rng) for text in exchange]
    return [world.caption(scene.facts, rng), world.description(scene.facts, rng), *said]


def dialogue(scene: world.Scene, rng: random.Random) -> list[Exchange]:
    """Return one or two exchanges about a scene that is told in words; no picture belongs to it.

    Answers are true, and come in any of many forms: what form is wanted is not to be learned here.
    """
    about = rng.choice((world.caption, world.description))(scene.facts, rng)
    found = []
    for _ in range(rng.choice((1, 2))):
        if rng.random() < 0.3:
            form = rng.choice((world.caption, world.description))
            found.append((rng.choice(world.DESCRIBE), form(scene.facts, rng)))
            continue
        question, answer = rng.choice(scene.questions)
        forms = _WHETHER if answer in ("yes", "no") else _WHAT
        found.append((question, rng.choice(forms).format(answer, answer.capitalize())))
    first, *rest = found
    return [(f"{about} {first[0]}", first[1]), *rest]


def see(model: Any, scenes: Sequence[world.Scene], sizes: Sizes, seed: int) -> None:
    """Train the vision tower to name colors, shapes, sizes and places, then leave it as it is.

    Towers of real models come trained, too: MiniGPT-4's sees what it will never be told.
    """
    rng = random.Random(seed)
    pixels = [world.pixels_of(scene.path) for scene in scenes]
    tower = model.model.vision_tower
    sides = (world.COLOURS, world.SHAPES, world.SIZES, world.ROWS, world.COLUMNS)
    head = torch.nn.Linear(sizes.width, sum(map(len, sides)))
    learned = [*tower.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(learned, 2e-3, (0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 2e-3, total_steps=sizes.seeing, pct_start=0.1
    )
    for step in range(sizes.seeing):
        rows = rng.sample(range(len(scenes)), min(2 * sizes.batch, len(scenes)))
        images, facts = zip(
            *(world.move_shape(pixels[at], scenes[at].facts, rng) for at in rows), strict=True
        )
        # What the language model will get: the patches of the last layer.
        patches = tower(normalised(np.stack(images))).last_hidden_state[:, 1:]
        parts = head(patches.mean(dim=1)).split([len(side) for side in sides], dim=1)
        named = [(f.colour, f.shape, f.size, f.row, f.column) for f in facts]
        truths = torch.tensor(
            [[side.index(name) for side, name in zip(sides, each, strict=True)] for each in named]
        )
        losses = [functional.cross_entropy(part, truths[:, at]) for at, part in enumerate(parts)]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == sizes.seeing - 1:
            text = "  ".join(f"{one.item():.2f}" for one in losses)
            print(f"  step {step:5,}  color, shape, size, row, column: {text}", flush=True)
    tower.requires_grad_(requires_grad=False)


def pretrain(
    model: Any, tokenizer: Any, scenes: Sequence[world.Scene], sizes: Sizes, seed: int
) -> None:
    """Train projector and language model on captions and on dialogues, both at every step."""
    rng = random.Random(seed)
    pixels = [world.pixels_of(scene.path) for scene in scenes]
    optimizer = torch.optim.AdamW(
        [value for value in model.parameters() if value.requires_grad],
        sizes.rate, (0.9, 0.98), weight_decay=0.05,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, sizes.rate, total_steps=sizes.steps, pct_start=0.05
    )
    began = time.perf_counter()
    model.train()
    for step in range(sizes.steps):
        seen = captioned(model, tokenizer, scenes, pixels, rng, sizes.batch)
        read = spoken(model, tokenizer, scenes, rng, sizes.batch // 2)
        loss = seen + read
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == sizes.steps - 1:
            print(
                f"  step {step:5,}  captions {seen.item():.3f}  dialogues {read.item():.3f}  "
                f"{time.perf_counter() - began:.0f} s",
                flush=True,
            )
    model.eval()


def captioned(
    model: Any, tokenizer: Any, scenes: Sequence[world.Scene], pixels: Sequence[Any],
    rng: random.Random, batch: int,
) -> torch.Tensor:  # fmt: skip
    """Return the loss of captions under pictures whose shapes are moved about."""
    images, rows = [], []
    patches = (model.config.vision_config.image_size // model.config.vision_config.patch_size) ** 2
    for at in rng.sample(range(len(scenes)), min(batch, len(scenes))):
        image, facts = world.move_shape(pixels[at], scenes[at].facts, rng)
        images.append(image)
        rows.append([("<image>" * patches, world.caption(facts, rng))])
    return _loss(model, tokenizer, rows, normalised(np.stack(images)))


def spoken(
    model: Any, tokenizer: Any, scenes: Sequence[world.Scene], rng: random.Random, batch: int
) -> torch.Tensor:
    """Return the loss of answers in dialogues without pictures."""
    chosen = rng.sample(range(len(scenes)), min(batch, len(scenes)))
    return _loss(model, tokenizer, [dialogue(scenes[at], rng) for at in chosen], None)


def normalised(pixels: Any) -> torch.Tensor:
    """Return (n, 3, side, side) float32 of (n, side, side, 3) uint8, as the processor does."""
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - _MEAN) / _STD


def _loss(
    model: Any, tokenizer: Any, rows: Sequence[list[Exchange]], pixels: torch.Tensor | None
) -> torch.Tensor:
    """Return the mean cross-entropy of the answers' tokens."""
    whole = []
    for exchanges in rows:
        ids: list[int] = []
        learned: list[int] = []
        for asked, said in exchanges:
            head = tokenizer(f"<|user|>{asked}<|end|><|assistant|>")["input_ids"]
            tail = tokenizer(f"{said}<|end|>")["input_ids"]
            ids += head + tail
            learned += [_IGNORED] * len(head) + tail
        whole.append((ids, learned))
    longest = max(len(ids) for ids, _ in whole)
    pad = tokenizer.pad_token_id
    inputs = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in whole])
    labels = torch.tensor([ids + [_IGNORED] * (longest - len(ids)) for _, ids in whole])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in whole])
    logits = model(input_ids=inputs, pixel_values=pixels, attention_mask=mask).logits
    return functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_IGNORED
    )
