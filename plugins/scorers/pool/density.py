"""Density: how close a sample's nearest neighbours are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, PoolScorer
from ig4.core.contracts.pool import normalised

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Neighbours, Pool

_ROWS = 4096  # at a time


class DensityOptions(contracts.Options):
    """Options of the scorer `density`."""

    space: str = Field(
        "clip", description="The space in which neighbours are near; several may be joined."
    )
    k: int = Field(
        10, ge=1, le=1000, description="How many neighbours count; a smaller pool has n - 1."
    )
    measure: Literal["similarity", "distance"] = Field(
        "similarity",
        description="The mean cosine of the k neighbours (high in dense places), or the Euclidean "
        "distance of unit vectors to the k-th (high in empty ones).",
    )


class Density(PoolScorer):
    """Mean similarity to the k nearest others, or distance to the k-th of them."""

    version = "1"
    Options = DensityOptions
    options: DensityOptions

    def needs(self) -> Needs:
        """Return the neighbours, and the space to compare them exactly in."""
        o = self.options
        return Needs(spaces=(o.space,), neighbours=((o.space, o.k),))

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the density (n,) of each row; NaN for one sample alone, which has no neighbour."""
        found = pool.neighbours(self.options.space, self.options.k)
        if not found.indices.shape[1]:
            return np.full(pool.n, np.nan)
        cosines = exact_cosines(pool.vectors(self.options.space), found)
        if self.options.measure == "similarity":
            mean: NDArray[np.float64] = cosines.mean(axis=1)
            return mean
        farthest: NDArray[np.float64] = np.sqrt((2.0 - 2.0 * cosines.min(axis=1)).clip(min=0.0))
        return farthest

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x cosine, at least 0; or 50 x distance, of which 2 is the greatest."""
        scale = 100.0 if self.options.measure == "similarity" else 50.0
        return np.clip(values * scale, 0.0, 100.0)


def exact_cosines(vectors: NDArray[np.float32], found: Neighbours) -> NDArray[np.float64]:
    """Return the cosine (n, k) float64 of each row and its neighbours.

    An index rounds similarities in ways of its own, by which equal samples would differ.
    """
    cosines = np.empty(found.indices.shape)
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, min(start + _ROWS, len(vectors)))
        own = normalised(vectors[rows]).astype(np.float64)
        for column, others in enumerate(found.indices[rows].T):
            near = normalised(vectors[others]).astype(np.float64)
            cosines[rows, column] = np.einsum("ij,ij->i", own, near)
    return cosines.clip(-1.0, 1.0)
