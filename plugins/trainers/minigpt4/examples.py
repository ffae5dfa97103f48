"""Training examples, in the order of the training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ig4.core.contracts.training import SampleCheck
from ig4.core.records import Sample
from ig4.plugins.models.tokenizer import Tokenizer
from ig4.plugins.trainers.minigpt4.images import crop_tensor, image_tensor, random_crop
from ig4.plugins.trainers.minigpt4.prompts import END, PROMPTS, training_ids
from ig4.plugins.training.batches import (
    Example,
    NoAnswerLeftError,
    check_sample,
    explain_sample_errors,
    load_images,
    stack_images,
)
from ig4.plugins.training.conversations import question_answer_pairs
from ig4.plugins.training.order import seeded_rng

if TYPE_CHECKING:
    from torch import Tensor

    from ig4.plugins.trainers.minigpt4.model import Sizes


def check_example(tokenizer: Tokenizer, sample: Sample, max_answer_tokens: int) -> SampleCheck:
    """Tell what `Examples` makes of one sample."""
    return check_sample(sample, partial(_check, tokenizer, max_answer_tokens))


def _check(tokenizer: Tokenizer, max_answer_tokens: int, sample: Sample) -> SampleCheck:
    load_images(sample)
    answers = [answer for _, answer in question_answer_pairs(sample.turns)]
    if not any(tokenizer.encode(answer) for answer in answers):
        raise NoAnswerLeftError("the model's tokenizer makes no token of its answer")
    lengths = [len(tokenizer.encode(answer + END)) for answer in answers]
    cut = sum(max(0, length - max_answer_tokens) for length in lengths)
    return SampleCheck(cut=cut, limit="minigpt4.max_answer_tokens")


class Examples(Dataset[Example]):
    """The examples of the whole training; the position in it seeds the randomness of each.

    `order` is (steps, batch) rows of `samples`. The prompt is random for each batch, the crop for
    each example.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        order: NDArray[np.int64],
        tokenizer: Tokenizer,
        sizes: Sizes,
        seed: int,
        *,
        max_answer_tokens: int,
        crop: bool,
        published: bool,
    ) -> None:
        self.samples = samples
        self.order = order
        self.tokenizer = tokenizer
        self.sizes = sizes
        self.seed = seed
        self.max_answer_tokens = max_answer_tokens
        self.crop = crop
        self.published = published

    def __len__(self) -> int:
        return int(self.order.size)

    def __getitem__(self, place: int) -> Example:
        step, number = divmod(place, self.order.shape[1])
        sample = self.samples[int(self.order[step, number])]
        with explain_sample_errors(sample):
            return self._example(sample, step, place)

    def _example(self, sample: Sample, step: int, place: int) -> Example:
        turns = question_answer_pairs(sample.turns)
        if self.published:
            prompt = PROMPTS[int(seeded_rng(self.seed, "prompt", step).integers(len(PROMPTS)))]
            turns = [(prompt, answer) for _, answer in turns]
        ids, labels = training_ids(
            self.tokenizer,
            turns,
            images=len(sample.images),
            vectors=self.sizes.num_query_tokens,
            max_answer_tokens=self.max_answer_tokens,
        )
        return Example(sample.id, ids, labels, self._pixels(sample, place))

    def _pixels(self, sample: Sample, place: int) -> Tensor:
        side = self.sizes.image_size
        if not self.crop:
            return stack_images(
                [image_tensor(picture, side) for picture in load_images(sample)], side
            )
        images = []
        for number, picture in enumerate(load_images(sample)):
            width, height = picture.size
            box = random_crop(width, height, seeded_rng(self.seed, "crop", place, number))
            images.append(crop_tensor(picture, box, side))
        return stack_images(images, side)
