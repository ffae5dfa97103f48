"""Samples of a selection that say the same as another one of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALIKE = 0.95
"""The cosine above which two images are alike."""

SAME_WORDS = 0.9
"""The share of common words from which two texts are alike (Jaccard index of their word sets)."""

MOST = 5_000
"""In a larger selection only equal samples are looked for."""

_MOST_PAIRS = 2_000_000
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SelectedText:
    """What duplicates are told by: a content's number, its first image's, and its texts."""

    content: int
    image: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Selected samples that repeat another selected one.

    `same` counts those with the same texts and images as one before them, `near` those with nearly
    the same texts, and the same or a similar image. `pairs` are (earlier, later) places in the
    selection, from 0. `near_searched` is false where the selection is too large for that, or has
    too many pairs, and `by_vectors` says whether images could be compared by vectors, or by their
    files alone.
    """

    same: int
    near: int
    pairs: tuple[tuple[int, int], ...]
    near_searched: bool
    by_vectors: bool

    def to_dict(self, ids: Sequence[str]) -> dict[str, Any]:
        """Return the fields with ids in place of places, JSON-able."""
        named = [[ids[first], ids[second]] for first, second in self.pairs]
        return {**asdict(self), "pairs": named}


def find_duplicates(
    chosen: Sequence[SelectedText], vectors: NDArray[np.float32] | None = None
) -> Duplicates:
    """Return the duplicates among chosen samples, in their order.

    `vectors` (s, d) are of length 1, of each one's first image; rows of zeros where there is none.
    """
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
        for earlier, later in _alike_images(chosen, vectors):
            if (left := left - 1) < 0:
                searched = False
                break
            if later in same or later in near or earlier in same:
                continue
            if _alike(words[earlier], words[later]):
                near[later] = earlier
    pairs = sorted((earlier, later) for later, earlier in (same | near).items())
    return Duplicates(len(same), len(near), tuple(pairs), searched, vectors is not None)


def _alike(first: frozenset[str], second: frozenset[str]) -> bool:
    if not first or not second:
        return first == second
    return len(first & second) >= SAME_WORDS * len(first | second)


def _alike_images(
    chosen: Sequence[SelectedText], vectors: NDArray[np.float32] | None
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places whose images are the same or alike; of samples without image, all."""
    showing: dict[int | None, list[int]] = {}
    for place, one in enumerate(chosen):
        showing.setdefault(one.image, []).append(place)
    for places in showing.values():
        yield from combinations(places, 2)
    if vectors is None:
        return
    for start in range(0, len(vectors), 512):
        block = vectors[start : start + 512] @ vectors.T
        for row, column in zip(*np.nonzero(block > ALIKE), strict=True):
            if start + row < column:
                yield int(start + row), int(column)
