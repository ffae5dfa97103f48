"""Generates answers with MiniGPT-4, like its demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ig4.core.contracts.training import Decoding, Prompt
from ig4.plugins.models.pretrained import precision_context
from ig4.plugins.models.tokenizer import load_tokenizer, stop_sequences
from ig4.plugins.trainers.minigpt4.images import image_tensor
from ig4.plugins.trainers.minigpt4.prompts import END, chat_ids
from ig4.plugins.training.batches import stack_images
from ig4.plugins.training.decoding import Sampling, generate
from ig4.plugins.training.placeholders import pad_rows, padding_mask

if TYPE_CHECKING:
    from ig4.plugins.trainers.minigpt4.model import MiniGPT4
    from ig4.plugins.trainers.minigpt4.options import MiniGPT4Options

PUBLISHED = Sampling(max_new_tokens=300, temperature=1.0, top_p=0.9)
CONTEXT = 2000  # tokens, with the new ones; longer questions lose their beginning


class AnswerGenerator:
    """A model ready to answer."""

    def __init__(self, model: MiniGPT4, options: MiniGPT4Options, decoding: Decoding) -> None:
        self.model = model
        self.device = options.resolved_device
        self.precision = options.resolved_precision
        self.tokenizer = load_tokenizer(options.llm, cache_dir=options.cache_dir)
        self.sampling = PUBLISHED.with_overrides(decoding)
        self.seed = decoding.seed
        self.ends = stop_sequences(self.tokenizer, END)

    def prepare(self, prompt: Prompt) -> tuple[list[int], Tensor]:
        """Return the ids of a prompt and its images' pixels.

        Raises:
            ImageError: an image cannot be read.
        """
        vectors, side = self.model.sizes.num_query_tokens, self.model.sizes.image_size
        ids = chat_ids(self.tokenizer, prompt.turns, images=len(prompt.images), vectors=vectors)
        images = [image_tensor(image.pixels(), side) for image in prompt.images]
        return ids, stack_images(images, side)

    def embed_prompts(self, ready: Sequence[tuple[list[int], Tensor]]) -> dict[str, Tensor]:
        """Return embeddings (n, longest, width) and mask of prompts, padded on the left."""
        rows = [ids for ids, _ in ready]
        pixels = torch.cat([images for _, images in ready]).to(self.device)
        ids = pad_rows(rows, self.tokenizer.eos_id, left=True).to(self.device)
        mask = padding_mask(rows, left=True).to(self.device)
        embeds = self.model.embed(ids, pixels if len(pixels) else None)
        kept = max(1, CONTEXT - self.sampling.max_new_tokens)
        return {"inputs_embeds": embeds[:, -kept:], "attention_mask": mask[:, -kept:]}

    def __call__(
        self, prompts: Sequence[Prompt], ready: Sequence[tuple[list[int], Tensor]]
    ) -> list[str]:
        """Return the answers to prepared prompts."""
        with torch.no_grad(), precision_context(self.device, self.precision):
            rows = generate(
                self.model.language_model, self.embed_prompts(ready), [one.id for one in prompts],
                self.sampling, seed=self.seed, eos=self.tokenizer.eos_id, pad=self.tokenizer.eos_id,
                stops=self.ends,
            )  # fmt: skip
        return [self.text(row) for row in rows]

    def text(self, ids: Sequence[int]) -> str:
        """Return an answer's text: up to the end mark, and after "Assistant:" if that is in it."""
        answer = self.tokenizer.decode(ids).split(END)[0]
        return answer.split("Assistant:")[-1].strip()
