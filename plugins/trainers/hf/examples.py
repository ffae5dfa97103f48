"""Training examples made by the model's processor, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ig4.core.contracts.training import SampleCheck
from ig4.core.counts import counted
from ig4.core.records import Sample
from ig4.plugins.trainers.hf.chat import (
    answer_mask,
    answer_spans,
    chat_messages,
    fit_picture,
    render,
    special_token_options,
)
from ig4.plugins.trainers.hf.markers import MediaMarkers
from ig4.plugins.training.batches import (
    SAMPLE_IDS,
    NoAnswerLeftError,
    check_sample,
    explain_sample_errors,
    load_images,
)
from ig4.plugins.training.placeholders import IGNORED

_PER_TOKEN = {"input_ids", "attention_mask", "labels", "token_type_ids", "mm_token_type_ids"}


@dataclass(frozen=True, slots=True)
class Row:
    """The processor's tensors for one sample, with a first dimension of 1, and its labels."""

    name: str
    tensors: dict[str, Tensor]


class Examples(Dataset[Row]):
    """Samples in the given order, rendered with the model's chat template."""

    def __init__(
        self,
        samples: Sequence[Sample],
        order: NDArray[np.int64],
        processor: Any,
        *,
        system: str | None,
        max_pixels: int | None,
        max_length: int,
    ) -> None:
        self.samples = samples
        self.order = order
        self.processor = processor
        self.markers = MediaMarkers(processor)
        self.system = system
        self.max_pixels = max_pixels
        self.max_length = max_length

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> Row:
        return self.row(self.samples[int(self.order[place])])

    def row(self, sample: Sample) -> Row:
        """Return the model's inputs for one sample.

        Raises:
            TrainingError: ig4 cannot tell which tokens are answers, or the processor refuses the
                sample; the message names it.
            ImageError: an image cannot be read.
            PrerequisiteError: the model has no chat template.
        """
        with explain_sample_errors(sample):
            return Row(sample.id, self._truncate(self._tensors(sample)))

    def check(self, sample: Sample) -> SampleCheck:
        """Prepare one sample as `row` does, and tell what comes of it.

        Raises:
            PrerequisiteError: the model has no chat template.
        """
        return check_sample(sample, self._check)

    def _check(self, sample: Sample) -> SampleCheck:
        tensors = self._tensors(sample)
        answers = [turn.text for turn in sample.turns if turn.role == "assistant"]
        tokenizer = self.processor.tokenizer
        if not any(tokenizer(text, add_special_tokens=False)["input_ids"] for text in answers):
            raise NoAnswerLeftError("the model's tokenizer makes no token of its answer")
        learned = _count_learned(tensors)
        if not learned:
            raise NoAnswerLeftError("none of its tokens is learned")
        cut = learned - _count_learned(self._truncate(tensors))
        return SampleCheck(cut=cut, limit="hf.max_length")

    def _tensors(self, sample: Sample) -> dict[str, Tensor]:
        images = [fit_picture(self.processor, one, self.max_pixels) for one in load_images(sample)]
        chat = chat_messages(
            sample.turns, images=len(images), system=self.system, markers=self.markers
        )
        text = render(self.processor, chat)
        tensors = run_processor(self.processor, [text], [images])
        ids = tensors["input_ids"][0]
        spans = answer_spans(self.processor, chat, text)
        mask = torch.tensor(answer_mask(self.processor, text, spans, ids.tolist()))
        tensors["labels"] = torch.where(mask, ids, IGNORED)[None]
        return tensors

    def _truncate(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Cut the end of too long a sample; images and the start of an answer must fit."""
        length = tensors["input_ids"].shape[1]
        if length <= self.max_length:
            return tensors
        if bool((tensors["labels"][:, : self.max_length] == IGNORED).all()):
            raise NoAnswerLeftError(
                f"it has {counted(length, 'token')}, and no answer in the first "
                f"{self.max_length:,}: raise hf.max_length, or lower hf.max_pixels"
            )
        return {
            name: value[:, : self.max_length] if name in _PER_TOKEN else value
            for name, value in tensors.items()
        }


def _count_learned(tensors: dict[str, Tensor]) -> int:
    return int((tensors["labels"] != IGNORED).sum())


def run_processor(
    processor: Any, texts: Sequence[str], images: Sequence[Sequence[Any]], **settings: Any
) -> dict[str, Tensor]:
    """Return the processor's tensors for texts and the images of each."""
    image_arguments = {"images": [list(one) for one in images]} if any(images) else {}
    settings |= special_token_options(processor, texts[0])
    tensors = processor(text=list(texts), return_tensors="pt", **image_arguments, **settings)
    return {name: value for name, value in tensors.items() if isinstance(value, Tensor)}


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes a batch of rows, padded on the right for training or on the left for generation."""

    pad: int
    left: bool = False

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return the tensors of the batch: (n, longest) for tokens, and those of all its images."""
        longest = max(row.tensors["input_ids"].shape[1] for row in rows)
        filling = {"input_ids": self.pad, "labels": IGNORED}
        batch: dict[str, Any] = {SAMPLE_IDS: [row.name for row in rows]}
        for name in _tensor_names(rows):
            values = [row.tensors[name] for row in rows if name in row.tensors]
            if name in _PER_TOKEN:
                values = [self._pad(one, longest, filling.get(name, 0)) for one in values]
            batch[name] = torch.cat(_pad_alike(values))
        return batch

    def _pad(self, one: Tensor, longest: int, filling: int) -> Tensor:
        rest = longest - one.shape[1]
        return torch.nn.functional.pad(one, (rest, 0) if self.left else (0, rest), value=filling)


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs the rows of a batch into one row; positions restart with each sample."""

    def __call__(self, rows: Sequence[Row]) -> dict[str, Any]:
        """Return tensors of one row (1, all tokens), its `position_ids`, and all images."""
        batch: dict[str, Any] = {SAMPLE_IDS: [row.name for row in rows]}
        for name in _tensor_names(rows):
            values = [row.tensors[name] for row in rows if name in row.tensors]
            if name == "attention_mask":
                continue  # the positions separate the samples
            if name == "labels":
                values = [_without_first_label(one) for one in values]
            batch[name] = torch.cat(
                values if name in _PER_TOKEN else _pad_alike(values),
                dim=1 if name in _PER_TOKEN else 0,
            )
        lengths = [row.tensors["input_ids"].shape[1] for row in rows]
        batch["position_ids"] = torch.cat([torch.arange(one) for one in lengths])[None]
        return batch


def _tensor_names(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.tensors))


def _without_first_label(labels: Tensor) -> Tensor:
    """Return labels without the first, which would be predicted from the sample before."""
    labels = labels.clone()
    labels[:, 0] = IGNORED
    return labels


def _pad_alike(values: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors padded with zeros to one size in all dimensions but the first.

    Processors that cut images into tiles make more tiles of some images.
    """
    if len({value.shape[1:] for value in values}) <= 1:
        return list(values)
    sizes = [max(value.shape[n] for value in values) for n in range(1, values[0].ndim)]
    padded_values = []
    for value in values:
        rest = [(0, size - value.shape[n + 1]) for n, size in enumerate(sizes)]
        flat = [edge for pair in reversed(rest) for edge in pair]
        padded_values.append(torch.nn.functional.pad(value, flat))
    return padded_values
