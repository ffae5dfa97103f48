"""The examples of a training, in the order in which they are seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ig4.core.records import Sample
from ig4.plugins.models.tokenizer import Tokens
from ig4.plugins.trainers.llava.images import seen
from ig4.plugins.trainers.llava.prompts import caption_ids, expanded, training_ids
from ig4.plugins.training.batches import Example, named, pictures, stacked
from ig4.plugins.training.conversations import exchanges


class Examples(Dataset[Example]):
    """Samples in the given order; as captions in stage 1, as conversations after that."""

    def __init__(
        self,
        samples: Sequence[Sample],
        order: NDArray[np.int64],
        tokens: Tokens,
        *,
        captions: bool,
        vectors: int,
        image_size: int,
        max_length: int,
    ) -> None:
        self.samples = samples
        self.order = order
        self.tokens = tokens
        self.captions = captions
        self.vectors = vectors
        self.image_size = image_size
        self.max_length = max_length

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> Example:
        sample = self.samples[int(self.order[place])]
        with named(sample):
            return self.example(sample)

    def example(self, sample: Sample) -> Example:
        """Return what the model takes for one sample."""
        images = len(sample.images)
        if self.captions:
            ids, labels = caption_ids(
                self.tokens, sample.answer, images=images, max_length=self.max_length
            )
        else:
            turns = exchanges(sample.turns)
            ids, labels = training_ids(
                self.tokens, turns, images=images, max_length=self.max_length
            )
        ids, labels = expanded(ids, labels, self.vectors, self.max_length)
        looked = [seen(picture, self.image_size) for picture in pictures(sample)]
        return Example(sample.id, ids, labels, stacked(looked, self.image_size))
