"""Herding: rows whose distribution is as near to the pool's as can be (least MMD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ig4.plugins.selectors.greedy.picks import Picks, dots, first_equal, squared_distances

if TYPE_CHECKING:
    from numpy.typing import NDArray

KernelName: TypeAlias = Literal["gaussian", "linear"]

_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class HerdingKernel:
    """k(x, y) of points (n, d): exp(-|x - y|^2 / (2 x width^2)), or their product."""

    points: NDArray[np.float32]
    name: KernelName
    width: float

    def row(self, row: int) -> NDArray[np.float64]:
        """Return how alike all rows are to one, (n,)."""
        if self.name == "linear":
            return dots(self.points, self.points[row]).astype(np.float64)
        apart = squared_distances(self.points, self.points[row]).astype(np.float64)
        alike: NDArray[np.float64] = np.exp(-apart / (2 * self.width**2))
        return alike

    def diagonal(self) -> NDArray[np.float64]:
        """Return how alike each row is to itself, (n,)."""
        if self.name == "linear":
            own = np.einsum("ij,ij->i", self.points, self.points)
            return np.asarray(own, dtype=np.float64)
        return np.ones(len(self.points))

    def means(self, reference: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how alike each row is to some rows on average, (n,)."""
        if self.name == "linear":
            middle = self.points[reference].mean(axis=0, dtype=np.float64)
            return np.asarray(np.einsum("ij,j->i", self.points.astype(np.float64), middle))
        found = np.empty(len(self.points))
        step = max(1, _BLOCK_BYTES // max(1, 8 * len(reference)))
        others = self.points[reference].astype(np.float64)
        squares = np.einsum("ij,ij->i", others, others)
        for start in range(0, len(found), step):
            own = self.points[start : start + step].astype(np.float64)
            apart = np.einsum("ij,ij->i", own, own)[:, None] + squares - 2 * (own @ others.T)
            np.maximum(apart, 0, out=apart)
            kernel = np.exp(-apart / (2 * self.width**2))
            found[start : start + step] = kernel.mean(axis=1)
        firsts = first_equal(self.points)
        return found if firsts is None else found[firsts]


def herding(kernel: HerdingKernel, size: int, reference: NDArray[np.int64]) -> Picks:
    """Take `size` rows, each the one that leaves the least squared MMD to the `reference` rows.

    With t rows taken, x is worth -(mean K[Y, Y] - 2 mean K[reference, Y]) for Y = the taken ones
    and x (COINCIDE, Lee et al. 2024, and Chen et al. 2010); the gains are these values. Ties go to
    the lower row.
    """
    means, own = kernel.means(reference), kernel.diagonal()
    near = np.zeros(len(means))  # the sum of each row's kernel with those that are taken
    taken = np.zeros(len(means), dtype=bool)
    within = toward = 0.0
    rows, gains = np.empty(size, dtype=np.int64), np.empty(size)
    for step in range(size):
        many = step + 1
        values = 2 * (toward + means) / many - (within + 2 * near + own) / many**2
        values[taken] = -np.inf
        row = int(np.argmax(values))
        rows[step], gains[step] = row, values[row]
        within += 2 * near[row] + own[row]
        toward += means[row]
        taken[row] = True
        near += kernel.row(row)
    return Picks(rows, gains)
