"""How a vision-language model of transformers answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ig4.core.training import Decoding, Prompt
from ig4.plugins.trainers.hf.chat import limited, messages, rendered
from ig4.plugins.trainers.hf.examples import processed
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.training.decoding import Sampling, generate
from ig4.plugins.training.models import computing

USUAL = Sampling(max_new_tokens=512)


class Answering:
    """A model ready to answer."""

    def __init__(
        self, model: Any, processor: Any, options: HuggingFaceOptions, decoding: Decoding
    ) -> None:
        self.model = model
        self.processor = processor
        self.options = options
        self.how = USUAL.overridden(decoding)
        self.seed = decoding.seed
        tokenizer = processor.tokenizer
        tokenizer.padding_side = "left"
        ends = model.generation_config.eos_token_id or tokenizer.eos_token_id
        self.ends = [ends] if isinstance(ends, int) else list(ends)

    def prepare(self, prompt: Prompt) -> tuple[str, list[Any]]:
        """Return the text of a prompt and its images.

        Raises:
            ImageError: an image cannot be read.
        """
        seen = [limited(one.pixels(), self.options.max_pixels) for one in prompt.images]
        chat = messages(prompt.turns, images=len(seen), system=self.options.system)
        return rendered(self.processor, chat, answering=True), seen

    def __call__(
        self, prompts: Sequence[Prompt], ready: Sequence[tuple[str, list[Any]]]
    ) -> list[str]:
        """Return the answers to prepared prompts."""
        device = self.options.resolved_device
        texts = [text for text, _ in ready]
        made = processed(self.processor, texts, [seen for _, seen in ready], padding=True)
        inputs = {name: value.to(device) for name, value in made.items()}
        with torch.no_grad(), computing(device, self.options.resolved_precision):
            rows = generate(
                self.model, inputs, [one.id for one in prompts], self.how, seed=self.seed,
                eos=self.ends, pad=self.processor.tokenizer.pad_token_id,
            )  # fmt: skip
        said: list[str] = self.processor.batch_decode(rows, skip_special_tokens=True)
        return [one.strip() for one in said]
