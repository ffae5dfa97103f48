"""Finds for each of some samples another one whose answer can be put in the place of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PairTraits:
    """What decides which of m samples fit: numbers (m,) that are equal where the thing is equal.

    `turns` are how many answers each has. `kinds` are of any sort; all equal where none are known.
    """

    answers: Numbers
    images: Numbers
    questions: Numbers
    turns: Numbers
    kinds: Numbers

    def closeness(self) -> Sequence[Numbers]:
        """Return what two samples should have in common, the closest first."""
        return (
            _joined(self.turns, self.kinds, self.questions),
            _joined(self.turns, self.kinds),
            self.turns,
            np.zeros_like(self.turns),
        )


def find_partners(traits: PairTraits) -> Numbers:
    """Return for each of m samples the row (m,) of the one whose answer it gets; -1 for none.

    Each answer is given away once, so that both sides have the same answers. The answers of two
    partners always differ, and their images wherever that can be had; they share the question if
    any others do, else the kind, else the number of turns.
    """
    m = len(traits.answers)
    partners = np.full(m, -1, dtype=np.int64)
    for same_image in (False, True):
        for key in traits.closeness():
            while _match(traits, key, partners, same_image=same_image):
                pass
    return partners


def _match(traits: PairTraits, key: Numbers, partners: Numbers, *, same_image: bool) -> bool:
    """Give some more samples of equal key a partner, in place; tells whether any got one."""
    takers = np.flatnonzero(partners < 0)
    givers = np.setdiff1d(np.arange(len(partners)), partners[partners >= 0])
    for taking, giving in _classes(key, takers, givers):
        fitting, given = _rotated(traits, taking, giving, same_image=same_image)
        partners[fitting] = given
    return int((partners < 0).sum()) < len(takers)


def _rotated(
    traits: PairTraits, takers: Numbers, givers: Numbers, *, same_image: bool
) -> tuple[Numbers, Numbers]:
    """Return takers and their givers in the rotation of the givers that fits most of them."""
    best: tuple[Numbers, Numbers] = (takers[:0], givers[:0])
    places = np.arange(min(len(takers), len(givers)))
    taking = takers[places]
    for shift in range(len(givers)):
        giving = givers[(places + shift) % len(givers)]
        fits = traits.answers[taking] != traits.answers[giving]
        if not same_image:
            fits &= traits.images[taking] != traits.images[giving]
        if fits.sum() > len(best[0]):
            best = taking[fits], giving[fits]
        if fits.all():
            break
    return best


def _classes(key: Numbers, takers: Numbers, givers: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the takers and givers of each value of the key that both have, in order."""
    for value in np.intersect1d(key[takers], key[givers]).tolist():
        yield takers[key[takers] == value], givers[key[givers] == value]


def _joined(*columns: Numbers) -> Numbers:
    """Return numbers (m,) that are equal where all columns are."""
    _, numbers = np.unique(np.column_stack(columns), axis=0, return_inverse=True)
    return numbers.reshape(-1).astype(np.int64)
