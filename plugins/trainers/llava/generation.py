"""Generates answers with LLaVA-1.5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ig4.core.contracts.training import Decoding, Prompt
from ig4.plugins.models.pretrained import precision_context
from ig4.plugins.models.tokenizer import Tokenizer
from ig4.plugins.trainers.llava.images import padded_image_tensor
from ig4.plugins.trainers.llava.prompts import chat_ids, expand_images
from ig4.plugins.training.batches import stack_images
from ig4.plugins.training.conversations import question_answer_pairs
from ig4.plugins.training.decoding import Sampling, generate
from ig4.plugins.training.placeholders import pad_rows, padding_mask

if TYPE_CHECKING:
    from ig4.plugins.trainers.llava.model import Llava
    from ig4.plugins.trainers.llava.options import LlavaOptions

PUBLISHED = Sampling(max_new_tokens=512)


class AnswerGenerator:
    """A model ready to answer."""

    def __init__(
        self, llava: Llava, tokenizer: Tokenizer, options: LlavaOptions, decoding: Decoding
    ) -> None:
        self.llava = llava
        self.tokenizer = tokenizer
        self.options = options
        self.sampling = PUBLISHED.with_overrides(decoding)
        self.seed = decoding.seed

    def prepare(self, prompt: Prompt) -> tuple[list[int], Tensor]:
        """Return the ids of a prompt and its images' pixels.

        Raises:
            ImageError: an image cannot be read.
        """
        ids = chat_ids(
            self.tokenizer, question_answer_pairs(prompt.turns), images=len(prompt.images)
        )
        expanded, _ = expand_images(
            ids, ids, self.llava.vectors, len(ids) * (self.llava.vectors + 1)
        )
        side = self.llava.image_size
        return expanded, stack_images(
            [padded_image_tensor(image.pixels(), side) for image in prompt.images], side
        )

    def __call__(
        self, prompts: Sequence[Prompt], ready: Sequence[tuple[list[int], Tensor]]
    ) -> list[str]:
        """Return the answers to prepared prompts."""
        device = self.options.resolved_device
        rows = [ids for ids, _ in ready]
        pixels = torch.cat([images for _, images in ready]).to(device)
        ids = pad_rows(rows, self.tokenizer.unk_id, left=True).to(device)
        with torch.no_grad(), precision_context(device, self.options.resolved_precision):
            embeds = self.llava.embed(ids, pixels if len(pixels) else None)
            inputs = {
                "inputs_embeds": embeds,
                "attention_mask": padding_mask(rows, left=True).to(device),
            }
            answers = generate(
                self.llava.model, inputs, [one.id for one in prompts], self.sampling,
                seed=self.seed, eos=self.tokenizer.eos_id, pad=self.tokenizer.unk_id,
            )  # fmt: skip
        return [self.tokenizer.decode(row).strip() for row in answers]
