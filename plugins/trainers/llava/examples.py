"""Training examples, in the order of the training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ig4.core.records import Sample
from ig4.plugins.models.tokenizer import Tokenizer
from ig4.plugins.trainers.llava.images import padded_image_tensor
from ig4.plugins.trainers.llava.prompts import caption_ids, expand_images, training_ids
from ig4.plugins.training.batches import Example, explain_sample_errors, load_images, stack_images
from ig4.plugins.training.conversations import question_answer_pairs


class Examples(Dataset[Example]):
    """Samples in the given order: captions in stage 1, conversations in stage 2."""

    def __init__(
        self,
        samples: Sequence[Sample],
        order: NDArray[np.int64],
        tokenizer: Tokenizer,
        *,
        captions: bool,
        vectors: int,
        image_size: int,
        max_length: int,
    ) -> None:
        self.samples = samples
        self.order = order
        self.tokenizer = tokenizer
        self.captions = captions
        self.vectors = vectors
        self.image_size = image_size
        self.max_length = max_length

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> Example:
        sample = self.samples[int(self.order[place])]
        with explain_sample_errors(sample):
            return self.example(sample)

    def example(self, sample: Sample) -> Example:
        """Return the model's inputs for one sample."""
        images = len(sample.images)
        if self.captions:
            ids, labels = caption_ids(
                self.tokenizer, sample.answer, images=images, max_length=self.max_length
            )
        else:
            turns = question_answer_pairs(sample.turns)
            ids, labels = training_ids(
                self.tokenizer, turns, images=images, max_length=self.max_length
            )
        ids, labels = expand_images(ids, labels, self.vectors, self.max_length)
        tensors = [padded_image_tensor(picture, self.image_size) for picture in load_images(sample)]
        return Example(sample.id, ids, labels, stack_images(tensors, self.image_size))
