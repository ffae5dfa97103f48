"""Samples of a selection that say the same as another one of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.alike import Line
from ig4.core.statistics.hamming import are_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIKE = Line()
"""When two images are alike: by their hashes, or by the cosine of other vectors."""

SAME_WORDS = 0.9
"""The share of common words from which two texts are alike (Jaccard index of their word sets)."""

MOST = 5_000
"""In a larger selection only equal samples are looked for."""

_MOST_PAIRS = 2_000_000
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SelectedText:
    """What duplicates are told by: a content's number, those of its images, and its texts."""

    content: int
    images: tuple[int, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Selected samples that repeat another selected one.

    `same` counts those with the same texts and images as one before them, `near` those with nearly
    the same texts, and the same or a similar image. `pairs` are (earlier, later) places in the
    selection, from 0. `near_searched` is false where the selection is too large for that, or has
    too many pairs. `by_vectors` says whether images could be compared by vectors, or by their files
    alone; `by_hashes` whether these were perceptual hashes.
    """

    same: int
    near: int
    pairs: tuple[tuple[int, int], ...]
    near_searched: bool
    by_vectors: bool
    by_hashes: bool = False

    def to_dict(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return the fields with ids in place of places, JSON-able."""
        named = [[ids[first], ids[second]] for first, second in self.pairs]
        return {**asdict(self), "pairs": named}


def find_duplicates(
    chosen: Sequence[SelectedText], vectors: Mapping[int, NDArray[np.float32]] | None = None
) -> Duplicates:
    """Return the duplicates among chosen samples, in their order.

    `vectors` (d,) are of images, by their numbers: hashes, or of length 1. Two samples show the
    same if they have as many images, and each is alike to the other's in its place.
    """
    images = _ImageVectors(vectors or {})
    first_of: dict[int, int] = {}
    same = {}
    for place, one in enumerate(chosen):
        if one.content in first_of:
            same[place] = first_of[one.content]
        else:
            first_of[one.content] = place
    near: dict[int, int] = {}
    searched = len(chosen) <= MOST
    left = _MOST_PAIRS
    if searched:
        words = [frozenset(_WORDS.findall(one.text.lower())) for one in chosen]
        for earlier, later in _showing_alike(chosen, images):
            if (left := left - 1) < 0:
                searched = False
                break
            if later in same or later in near or earlier in same:
                continue
            if _alike(words[earlier], words[later]):
                near[later] = earlier
    pairs = sorted((earlier, later) for later, earlier in (same | near).items())
    return Duplicates(len(same), len(near), tuple(pairs), searched, bool(vectors), images.hashed)


def _alike(first: frozenset[str], second: frozenset[str]) -> bool:
    if not first or not second:
        return first == second
    if min(len(first), len(second)) < SAME_WORDS * max(len(first), len(second)):
        return False  # however many words they share
    return len(first & second) >= SAME_WORDS * len(first | second)


def _showing_alike(
    chosen: Sequence[SelectedText], images: _ImageVectors
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places whose images are the same or alike; of samples without image, all."""
    showing: dict[tuple[int, ...], list[int]] = {}
    for place, one in enumerate(chosen):
        showing.setdefault(one.images, []).append(place)
    for places in showing.values():
        yield from combinations(places, 2)
    for earlier, later in images.first_alike([one.images for one in chosen]):
        mine, its = chosen[earlier].images, chosen[later].images
        if mine != its and len(mine) == len(its) and all(map(images.alike, mine[1:], its[1:])):
            yield earlier, later


class _ImageVectors:
    """The vectors of images, all of one length, by the images' numbers."""

    def __init__(self, vectors: Mapping[int, NDArray[np.float32]]) -> None:
        self.row_of = {image: row for row, image in enumerate(vectors)}
        self.matrix = np.stack([*vectors.values()]) if vectors else np.empty((0, 0), np.float32)
        self.hashed = are_hashes(self.matrix)
        self.line = ALIKE.of(self.matrix.shape[1] if self.hashed else None)

    def alike(self, one: int, other: int) -> bool:
        """Return whether two images are the same, or have vectors that are alike."""
        if one == other:
            return True
        if one not in self.row_of or other not in self.row_of:
            return False
        first, second = self.matrix[[self.row_of[one], self.row_of[other]]]
        return bool(first @ second > self.line)

    def first_alike(self, shown: Sequence[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
        """Yield the places whose first images have vectors that are alike, the earlier first."""
        places = [place for place, own in enumerate(shown) if own and own[0] in self.row_of]
        matrix = self.matrix[[self.row_of[shown[place][0]] for place in places]]
        for start in range(0, len(matrix), 512):
            block = matrix[start : start + 512] @ matrix.T
            for row, column in zip(*np.nonzero(block > self.line), strict=True):
                if start + row < column:
                    yield places[start + row], places[column]
