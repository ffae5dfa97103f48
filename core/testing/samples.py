"""Makes small samples with generated images; equal seeds give equal samples."""

from __future__ import annotations

import random
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from ig4.core.files.images.decode import ImageError
from ig4.core.records import Image, Sample, Turn

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_SUBJECTS = ("A red bus", "Two children", "An old boat", "The grey cat", "A plate of soup")
_VERBS = ("waits", "stands", "rests", "is seen", "lies")
_PLACES = ("by the river", "under a tree", "near the market", "in the snow", "on a wooden table")
_EXTRAS = ("in the evening light", "among many others", "far from the town", "without a shadow")


@lru_cache(maxsize=256)
def make_picture(seed: int, width: int = 40, height: int = 32) -> Picture:
    """Return a small RGB picture of a few coloured boxes; equal calls give the same object."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    rng = random.Random(seed)  # noqa: S311 - not a secret
    colour = partial(rng.choices, range(256), k=3)
    picture = Pillow.new("RGB", (width, height), tuple(colour()))
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        left, top = rng.randrange(width), rng.randrange(height)
        draw.rectangle((left, top, left + width // 3, top + height // 3), fill=tuple(colour()))
    return picture


def make_samples(n: int = 8, seed: int = 0) -> list[Sample]:
    """Return `n` samples, each with one image of its own and an answer of one or more sentences."""
    return [_sample(f"sample-{i}", seed * 1000 + i) for i in range(n)]


def sample_of(answer: str, *, instruction: str = "Describe this image.", seed: int = 0) -> Sample:
    """Return one sample with the given answer and a generated image."""
    turns = (Turn("user", instruction), Turn("assistant", answer))
    return Sample(f"sample-{seed}", instruction, answer, turns, (_image(seed),))


def sample_without_image() -> Sample:
    """Return a text-only sample."""
    turns = (Turn("user", "Say hello."), Turn("assistant", "Hello."))
    return Sample("text-only", "Say hello.", "Hello.", turns)


def sample_with_unreadable_image() -> Sample:
    """Return a sample whose image cannot be decoded: `pixels()` raises ImageError."""
    reason = "broken.jpg: the image cannot be decoded (made so)"
    image = Image(None, None, reason, partial(_refuse, reason))
    turns = (Turn("user", "Describe this image."), Turn("assistant", "A red bus waits."))
    return Sample("unreadable", "Describe this image.", "A red bus waits.", turns, (image,))


def _sample(name: str, seed: int) -> Sample:
    rng = random.Random(seed)  # noqa: S311 - not a secret
    sentences = [
        " ".join(map(rng.choice, (_SUBJECTS, _VERBS, _PLACES, _EXTRAS))) + "."
        for _ in range(rng.randint(1, 4))
    ]
    answer = " ".join(sentences)
    instruction = rng.choice(("Describe this image.", "What can be seen?", "Tell me more."))
    turns = (Turn("user", instruction), Turn("assistant", answer))
    return Sample(name, instruction, answer, turns, (_image(seed),))


def _image(seed: int) -> Image:
    return Image(None, f"{seed:064x}", None, partial(make_picture, seed))


def _refuse(reason: str) -> Picture:
    raise ImageError(reason)
