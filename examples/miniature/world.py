"""The small world: easy-VQA's pictures and questions, and what can be said of each picture.

Pictures, questions and short answers are easy-VQA's own (Victor Zhou, PyPI `easy-vqa`). What the
longer answers tell beside, place and size, is measured on the pixels. No picture serves two
purposes: see `SPLITS`.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 64
"""Pixels of a side of a picture."""

_FILLED = {"circle": 0.8, "rectangle": 1.0, "triangle": 0.55}  # of the box around it
SHAPES = tuple(_FILLED)
_RGB = {
    "black": (0, 0, 0),
    "blue": (0, 0, 255),
    "brown": (165, 42, 42),
    "gray": (128, 128, 128),
    "green": (0, 255, 0),
    "red": (255, 0, 0),
    "teal": (0, 128, 128),
    "yellow": (255, 255, 0),
}
COLOURS = tuple(_RGB)
ROWS, COLUMNS = ("top", "middle", "bottom"), ("left", "center", "right")
SIZES = ("small", "medium", "large")
_SMALL, _LARGE = 0.045, 0.12  # of the picture's area, taken by the box around the shape
_DIFFERS = 60  # sum over red, green and blue, from which a pixel is no background

DESCRIBE = (
    "describe this image in detail.",
    "take a look at this image and describe what you notice.",
    "please provide a detailed description of the picture.",
    "could you describe the contents of this image for me?",
)
"""Instructions that ask for a description, in the words of MiniGPT-4's second stage."""

Split = Literal["pool", "instruction", "development", "test"]

SPLITS: dict[Split, tuple[str, int, int]] = {
    "pool": ("train", 0, 1700),
    "instruction": ("train", 1700, 3700),
    "development": ("train", 3700, 4000),
    "test": ("test", 0, 1000),
}
"""Which pictures serve what: folder of easy-VQA, first and last but one.

The pool teaches the base model, CLIP and the reward model; on development all hyperparameters were
tuned; test is looked at once, at the end.
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be known of a picture."""

    colour: str
    shape: str
    size: str
    row: str
    column: str

    @property
    def place(self) -> str:
        """Where the shape is, as "at the top left"."""
        if self.row == "middle":
            return "in the center" if self.column == "center" else f"on the {self.column}"
        return f"at the {self.row}" + ("" if self.column == "center" else f" {self.column}")


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture of easy-VQA, its facts, and easy-VQA's own (question, answer) pairs on it."""

    name: str
    path: Path
    facts: Facts
    questions: tuple[tuple[str, str], ...]


def scenes(split: Split, *, limit: int | None = None) -> list[Scene]:
    """Return the pictures of a split, in easy-VQA's order; at most `limit`."""
    folder, first, end = SPLITS[split]
    if limit is not None:
        end = min(end, first + limit)
    data = Path(str(files("easy_vqa"))) / "data" / folder
    questions_of: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for question, answer, number in json.loads((data / "questions.json").read_text("utf-8")):
        questions_of[number].append((question, answer))
    found = []
    for number in range(first, end):
        path = data / "images" / f"{number}.png"
        facts = measure_facts(pixels_of(path), questions_of[number])
        found.append(Scene(f"{folder}-{number:04d}", path, facts, tuple(questions_of[number])))
    return found


def answer_to(question: str, colour: str, shape: str) -> str:
    """Return easy-VQA's answer to one of its questions on a shape of that colour."""
    words = question.rstrip("?").split()
    if words[0] == "what":
        return colour if "color" in words else shape
    there = bool({colour, shape} & set(words))
    negated = bool({"not", "no"} & set(words))
    return "yes" if there != negated else "no"


def pixels_of(path: Path) -> NDArray[np.uint8]:
    """Return a picture as (64, 64, 3) uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def shape_of(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (64, 64) bool: what is not background."""
    packed = pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1])
    _, places, counts = np.unique(packed, return_index=True, return_counts=True)
    background = pixels.reshape(-1, 3)[places[counts.argmax()]].astype(int)
    return np.asarray(np.abs(pixels.astype(int) - background).sum(axis=2) > _DIFFERS)


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom (inclusive) of a shape."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def measure_facts(pixels: NDArray[np.uint8], questions: Sequence[tuple[str, str]] = ()) -> Facts:
    """Return the facts of a picture; of its shapes those come first that agree with the answers.

    Without them, shapes of a few pixels are sometimes taken for others.
    """
    mask = shape_of(pixels)
    left, top, right, bottom = box_of(mask)
    middle = pixels[(top + bottom) // 2, (left + right) // 2].astype(int)
    colour = min(_RGB, key=lambda name: int(np.abs(middle - _RGB[name]).sum()))
    area = (right - left + 1) * (bottom - top + 1)
    filled = float(mask[top : bottom + 1, left : right + 1].mean())
    shape = min(
        _FILLED,
        key=lambda name: (
            sum(answer_to(q, colour, name) != a for q, a in questions),
            abs(_FILLED[name] - filled),
        ),
    )
    size = SIZES[(area > _SMALL * SIDE**2) + (area > _LARGE * SIDE**2)]
    return Facts(colour, shape, size, **_place(left, top, right, bottom))


def _place(left: int, top: int, right: int, bottom: int) -> dict[str, str]:
    row, column = ((a + b + 1) * 3 // (2 * SIDE) for a, b in ((top, bottom), (left, right)))
    return {"row": ROWS[row], "column": COLUMNS[column]}


def move_shape(
    pixels: NDArray[np.uint8], facts: Facts, rng: random.Random
) -> tuple[NDArray[np.uint8], Facts]:
    """Return a picture with its shape elsewhere, perhaps mirrored: more pictures out of one.

    Backgrounds are plain, so that what is rolled out on one side may come in on the other.
    """
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    left, top, right, bottom = box_of(shape_of(pixels))
    shift = rng.randint(-top, SIDE - 1 - bottom), rng.randint(-left, SIDE - 1 - right)
    pixels = np.roll(pixels, shift, axis=(0, 1))
    left, top, right, bottom = left + shift[1], top + shift[0], right + shift[1], bottom + shift[0]
    return pixels, replace(facts, **_place(left, top, right, bottom))


def caption(facts: Facts, rng: random.Random) -> str:
    """Return a caption as the web has them: short, and often without some of the facts."""
    words = [facts.colour, facts.shape]
    if rng.random() < 0.6:
        words.insert(0, facts.size)
    said = rng.choice(("a {}", "picture of a {}", "{}", "{} on a plain background")).format(
        " ".join(words)
    )
    return f"{said} {facts.place}" if rng.random() < 0.6 else said


def description(facts: Facts, rng: random.Random) -> str:
    """Return one to three sentences, all true."""
    colour, shape, size, place = facts.colour, facts.shape, facts.size, facts.place
    first = rng.choice(
        (
            f"The image shows a {size} {colour} {shape} {place}.",
            f"There is a {size} {colour} {shape} {place} of the picture.",
            f"This is a picture of a {size} {colour} {shape} {place}.",
        )
    )
    more = [
        f"The {shape} is {colour}.",
        f"Its size is {size}.",
        f"The {shape} can be seen {place}.",
        "The background is plain and light.",
    ]
    return " ".join([first, *rng.sample(more, rng.choice((0, 1, 1, 2)))])


def references(facts: Facts) -> list[str]:
    """Return the references that descriptions are held to, one for each opening sentence."""
    colour, shape, size, place = facts.colour, facts.shape, facts.size, facts.place
    return [
        f"The image shows a {size} {colour} {shape} {place}.",
        f"There is a {size} {colour} {shape} {place} of the picture.",
        f"This is a picture of a {size} {colour} {shape} {place}. The {shape} is {colour}.",
    ]


def short(answer: str) -> str:
    """Return an answer of easy-VQA as the instruction set has it: "Teal."."""
    return f"{answer.capitalize()}."


def other(facts: Facts, rng: random.Random) -> Facts:
    """Return facts of which colour and shape, and mostly the place, are others."""

    def another(now: str, choices: tuple[str, ...]) -> str:
        return rng.choice([one for one in choices if one != now])

    wrong = replace(
        facts, colour=another(facts.colour, COLOURS), shape=another(facts.shape, SHAPES)
    )
    return replace(wrong, row=rng.choice(ROWS), column=rng.choice(COLUMNS))
