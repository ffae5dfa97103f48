"""Generates answers with a vision-language model of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ig4.core.contracts.training import Decoding, Prompt
from ig4.plugins.models.pretrained import precision_context
from ig4.plugins.trainers.hf.chat import chat_messages, fit_picture, render
from ig4.plugins.trainers.hf.examples import Collator, Row, run_processor
from ig4.plugins.trainers.hf.markers import MediaMarkers
from ig4.plugins.trainers.hf.options import HuggingFaceOptions
from ig4.plugins.training.decoding import Sampling, generate

DEFAULTS = Sampling(max_new_tokens=512)


class AnswerGenerator:
    """A model ready to answer."""

    def __init__(
        self, model: Any, processor: Any, options: HuggingFaceOptions, decoding: Decoding
    ) -> None:
        self.model = model
        self.processor = processor
        self.markers = MediaMarkers(processor)
        self.options = options
        self.sampling = DEFAULTS.with_overrides(decoding)
        self.seed = decoding.seed
        tokenizer = processor.tokenizer
        ends = model.generation_config.eos_token_id or tokenizer.eos_token_id
        self.ends = [ends] if isinstance(ends, int) else list(ends)

    def text(self, prompt: Prompt) -> str:
        """Return a prompt as the chat template renders it.

        Raises:
            PrerequisiteError: the model has no chat template.
            TrainingError: the template does not accept the prompt.
        """
        chat = chat_messages(
            prompt.turns,
            images=len(prompt.images),
            system=self.options.system,
            markers=self.markers,
        )
        return render(self.processor, chat, answering=True)

    def prepare(self, prompt: Prompt) -> Row:
        """Return the processor's tensors for one prompt: on its own, so that it fails on its own.

        Raises:
            ImageError: an image cannot be read.
            PrerequisiteError, TrainingError: as `text`.
        """
        images = [
            fit_picture(self.processor, one.pixels(), self.options.max_pixels)
            for one in prompt.images
        ]
        return Row(prompt.id, run_processor(self.processor, [self.text(prompt)], [images]))

    def batch(self, ready: Sequence[Row]) -> dict[str, Tensor]:
        """Return the tensors of prepared prompts, padded on the left."""
        batch = Collator(self.processor.tokenizer.pad_token_id, left=True)(ready)
        return {name: value for name, value in batch.items() if isinstance(value, Tensor)}

    def __call__(self, prompts: Sequence[Prompt], ready: Sequence[Row]) -> list[str]:
        """Return the answers to prepared prompts."""
        device = self.options.resolved_device
        inputs = {name: value.to(device) for name, value in self.batch(ready).items()}
        with torch.no_grad(), precision_context(device, self.options.resolved_precision):
            rows = generate(
                self.model, inputs, [one.id for one in prompts], self.sampling, seed=self.seed,
                eos=self.ends, pad=self.processor.tokenizer.pad_token_id,
            )  # fmt: skip
        texts: list[str] = self.processor.batch_decode(rows, skip_special_tokens=True)
        return [one.strip() for one in texts]
