"""How MiniGPT-4 answers, as its demonstration does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ig4.core.contracts.training import Decoding, Prompt
from ig4.plugins.models.pretrained import precision_context
from ig4.plugins.models.tokenizer import stops, tokens_of
from ig4.plugins.trainers.minigpt4.images import whole
from ig4.plugins.trainers.minigpt4.prompts import END, chat_ids
from ig4.plugins.training.batches import stacked
from ig4.plugins.training.decoding import Sampling, generate
from ig4.plugins.training.placeholders import mask_of, padded

if TYPE_CHECKING:
    from ig4.plugins.trainers.minigpt4.model import MiniGPT4
    from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options

PUBLISHED = Sampling(max_new_tokens=300, temperature=1.0, top_p=0.9)
CONTEXT = 2000  # tokens, with those to come; longer questions lose their beginning


class AnswerGenerator:
    """A model ready to answer."""

    def __init__(self, model: MiniGPT4, options: MiniGPT4Options, decoding: Decoding) -> None:
        self.model = model
        self.device = options.resolved_device
        self.precision = options.resolved_precision
        self.tokens = tokens_of(options.llm, cache_dir=options.cache_dir)
        self.how = PUBLISHED.overridden(decoding)
        self.seed = decoding.seed
        self.ends = stops(self.tokens, END)

    def prepare(self, prompt: Prompt) -> tuple[list[int], Tensor]:
        """Return the ids of a prompt and its images' pixels.

        Raises:
            ImageError: an image cannot be read.
        """
        vectors, side = self.model.sizes.num_query_tokens, self.model.sizes.image_size
        ids = chat_ids(self.tokens, prompt.turns, images=len(prompt.images), vectors=vectors)
        seen = [whole(image.pixels(), side) for image in prompt.images]
        return ids, stacked(seen, side)

    def embedded(self, ready: Sequence[tuple[list[int], Tensor]]) -> dict[str, Tensor]:
        """Return embeddings (n, longest, width) and mask of prompts, filled up on the left."""
        rows = [ids for ids, _ in ready]
        pixels = torch.cat([seen for _, seen in ready]).to(self.device)
        ids = padded(rows, self.tokens.eos_id, left=True).to(self.device)
        mask = mask_of(rows, left=True).to(self.device)
        embeds = self.model.embed(ids, pixels if len(pixels) else None)
        kept = max(1, CONTEXT - self.how.max_new_tokens)
        return {"inputs_embeds": embeds[:, -kept:], "attention_mask": mask[:, -kept:]}

    def __call__(
        self, prompts: Sequence[Prompt], ready: Sequence[tuple[list[int], Tensor]]
    ) -> list[str]:
        """Return the answers to prepared prompts."""
        with torch.no_grad(), precision_context(self.device, self.precision):
            rows = generate(
                self.model.language_model, self.embedded(ready), [one.id for one in prompts],
                self.how, seed=self.seed, eos=self.tokens.eos_id, pad=self.tokens.eos_id,
                stops=self.ends,
            )  # fmt: skip
        return [self.text(row) for row in rows]

    def text(self, ids: Sequence[int]) -> str:
        """Return an answer's text: up to the end mark, and after "Assistant:" if it says so."""
        said = self.tokens.decode(ids).split(END)[0]
        return said.split("Assistant:")[-1].strip()
