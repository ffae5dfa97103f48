"""Training examples, in the order of the training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ig4.core.contracts.training import SampleCheck
from ig4.core.counts import counted
from ig4.core.records import Sample
from ig4.plugins.models.tokenizer import Tokenizer
from ig4.plugins.trainers.llava.images import padded_image_tensor, require_paddable
from ig4.plugins.trainers.llava.prompts import caption_ids, expand_images, training_ids
from ig4.plugins.training.batches import (
    Example,
    NoAnswerLeftError,
    check_sample,
    explain_sample_errors,
    load_images,
    stack_images,
)
from ig4.plugins.training.conversations import question_answer_pairs
from ig4.plugins.training.placeholders import IGNORED

_UNLIMITED = 1 << 40


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
        ids, labels = self._tokens(sample, self.max_length)
        tensors = [padded_image_tensor(picture, self.image_size) for picture in load_images(sample)]
        return Example(sample.id, ids, labels, stack_images(tensors, self.image_size))

    def check(self, sample: Sample) -> SampleCheck:
        """Tell what `example` makes of one sample.

        A sample that LLaVA's code masks, because its token counts do not add up, is no problem: the
        original trains with it, too.
        """
        return check_sample(sample, self._check)

    def _check(self, sample: Sample) -> SampleCheck:
        for picture in load_images(sample):
            require_paddable(picture)
        if not any(self.tokenizer.encode(answer) for answer in _answers(sample)):
            raise NoAnswerLeftError("the model's tokenizer makes no token of its answer")
        whole, labels = self._tokens(sample, _UNLIMITED)
        kept, kept_labels = self._tokens(sample, self.max_length)
        learned, left = _count_learned(labels), _count_learned(kept_labels)
        if learned and not left:
            raise NoAnswerLeftError(
                f"it has {counted(len(whole), 'token')}, and no answer in the first "
                f"{self.max_length:,}: raise llava.max_length"
            )
        cut = learned - left if learned else len(whole) - len(kept)
        return SampleCheck(cut=max(0, cut), limit="llava.max_length")

    def _tokens(self, sample: Sample, max_length: int) -> tuple[list[int], list[int]]:
        """Return (ids, labels) of one sample, with IMAGE for each vector of its images."""
        images = len(sample.images)
        if self.captions:
            ids, labels = caption_ids(
                self.tokenizer, sample.answer, images=images, max_length=max_length
            )
        else:
            turns = question_answer_pairs(sample.turns)
            ids, labels = training_ids(self.tokenizer, turns, images=images, max_length=max_length)
        return expand_images(ids, labels, self.vectors, max_length)


def _answers(sample: Sample) -> list[str]:
    return [turn.text for turn in sample.turns if turn.role == "assistant"] or [sample.answer]


def _count_learned(labels: Sequence[int]) -> int:
    return sum(label != IGNORED for label in labels)
