"""How LLaVA-1.5 answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ig4.core.contracts.training import Decoding, Prompt
from ig4.plugins.models.pretrained import precision_context
from ig4.plugins.models.tokenizer import Tokens
from ig4.plugins.trainers.llava.images import seen
from ig4.plugins.trainers.llava.prompts import chat_ids, expanded
from ig4.plugins.training.batches import stacked
from ig4.plugins.training.conversations import exchanges
from ig4.plugins.training.decoding import Sampling, generate
from ig4.plugins.training.placeholders import mask_of, padded

if TYPE_CHECKING:
    from ig4.plugins.trainers.llava.model import Llava
    from ig4.plugins.trainers.llava.options import LlavaOptions

PUBLISHED = Sampling(max_new_tokens=512)


class AnswerGenerator:
    """A model ready to answer."""

    def __init__(
        self, llava: Llava, tokens: Tokens, options: LlavaOptions, decoding: Decoding
    ) -> None:
        self.llava = llava
        self.tokens = tokens
        self.options = options
        self.how = PUBLISHED.overridden(decoding)
        self.seed = decoding.seed

    def prepare(self, prompt: Prompt) -> tuple[list[int], Tensor]:
        """Return the ids of a prompt and its images' pixels.

        Raises:
            ImageError: an image cannot be read.
        """
        ids = chat_ids(self.tokens, exchanges(prompt.turns), images=len(prompt.images))
        wide, _ = expanded(ids, ids, self.llava.vectors, len(ids) * (self.llava.vectors + 1))
        side = self.llava.image_size
        return wide, stacked([seen(image.pixels(), side) for image in prompt.images], side)

    def __call__(
        self, prompts: Sequence[Prompt], ready: Sequence[tuple[list[int], Tensor]]
    ) -> list[str]:
        """Return the answers to prepared prompts."""
        device = self.options.resolved_device
        rows = [ids for ids, _ in ready]
        pixels = torch.cat([looked for _, looked in ready]).to(device)
        ids = padded(rows, self.tokens.unk_id, left=True).to(device)
        with torch.no_grad(), precision_context(device, self.options.resolved_precision):
            embeds = self.llava.embed(ids, pixels if len(pixels) else None)
            inputs = {
                "inputs_embeds": embeds,
                "attention_mask": mask_of(rows, left=True).to(device),
            }
            said = generate(
                self.llava.model, inputs, [one.id for one in prompts], self.how, seed=self.seed,
                eos=self.tokens.eos_id, pad=self.tokens.unk_id,
            )  # fmt: skip
        return [self.tokens.decode(row).strip() for row in said]
