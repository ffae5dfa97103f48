"""Training examples with placeholder ids and images, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ig4.core.contracts.training import (
    NO_ANSWER_LEFT,
    REFUSED,
    UNREADABLE,
    SampleCheck,
    TrainingError,
)
from ig4.core.errors import Ig4Error, PrerequisiteError
from ig4.core.files.images.decode import ImageError, ImageShapeError
from ig4.core.records import Sample
from ig4.plugins.models.loading import one_line
from ig4.plugins.training.placeholders import IGNORED, pad_rows

SAMPLE_IDS = "sample_ids"
"""The key of a batch's sample ids, for messages."""


@dataclass(frozen=True, slots=True)
class Example:
    """The model's inputs for a sample; `pixels` (n, 3, side, side) float32 for its n images."""

    name: str
    ids: list[int]
    labels: list[int]
    pixels: Tensor


@dataclass(frozen=True, slots=True)
class Collator:
    """Makes a batch of examples, padded on the right with `pad`.

    LLaVA's mask hides every `pad` id, padding or not (`hide_pad`); MiniGPT-4's only padding.
    """

    pad: int
    hide_pad: bool = False

    def __call__(self, batch: Sequence[Example]) -> dict[str, Any]:
        """Return ids, mask and labels (n, longest) int64, and all images of the batch."""
        rows = [example.ids for example in batch]
        ids = pad_rows(rows, self.pad)
        masks = [[int(example != self.pad or not self.hide_pad) for example in row] for row in rows]
        pixels = torch.cat([example.pixels for example in batch])
        return {
            "input_ids": ids,
            "attention_mask": pad_rows(masks, 0),
            "labels": pad_rows([example.labels for example in batch], IGNORED),
            **({"pixel_values": pixels} if len(pixels) else {}),
            SAMPLE_IDS: [example.name for example in batch],
        }


class NoAnswerLeftError(TrainingError):
    """No token of a sample's answers can be learned."""


def check_sample(sample: Sample, prepare: Callable[[Sample], SampleCheck]) -> SampleCheck:
    """Return what `prepare` finds, or the error with which it refuses the sample.

    Raises:
        PrerequisiteError: the model is not complete, whatever the sample.
    """
    try:
        return prepare(sample)
    except PrerequisiteError:
        raise
    except NoAnswerLeftError as error:
        return SampleCheck(str(error), NO_ANSWER_LEFT)
    except ImageError as error:
        shape = isinstance(error, ImageShapeError)
        return SampleCheck(str(error), REFUSED if shape else UNREADABLE)
    except Ig4Error as error:
        return SampleCheck(str(error), REFUSED)
    except Exception as error:  # noqa: BLE001 - a library's, about this sample alone
        return SampleCheck(f"{type(error).__name__}: {one_line(error, 200)}", REFUSED)


def load_images(sample: Sample) -> list[Any]:
    """Return a sample's images as RGB.

    Raises:
        ImageError: an image cannot be read.
    """
    return [image.pixels() for image in sample.images]


@contextmanager
def explain_sample_errors(sample: Sample) -> Iterator[None]:
    """Turn an error in the preparation of a sample into one sentence that names the sample.

    Raises:
        ImageError: an image cannot be read.
        TrainingError: it cannot be prepared; other errors of ig4 are passed on as they are.
    """
    try:
        yield
    except TrainingError as error:
        raise TrainingError(f"sample {sample.id!r}: {error}") from error
    except ImageShapeError as error:
        raise TrainingError(f"sample {sample.id!r}: {error}: leave it out") from None
    except ImageError as error:
        raise ImageError(f"sample {sample.id!r}: {error}") from None
    except Ig4Error:
        raise
    except Exception as error:
        message = " ".join(str(error).split())[:300]
        raise TrainingError(
            f"sample {sample.id!r} cannot be prepared for the model: {type(error).__name__}: "
            f"{message}. Leave it out of the selection, or correct it"
        ) from error


def stack_images(images: Sequence[Tensor], side: int) -> Tensor:
    """Return (n, 3, side, side) of n images; n may be 0."""
    return torch.stack(list(images)) if images else torch.empty(0, 3, side, side)
