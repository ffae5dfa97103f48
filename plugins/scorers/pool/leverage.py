"""Leverage: how far a sample stands out in the directions in which the pool varies most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, PoolScorer
from ig4.core.engine.selecting.scaling import share_of_longest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

_BLOCK = 1 << 23  # numbers at a time: 64 MB
_NOTHING = 1e-10  # of the greatest eigenvalue: what rounding leaves of a direction without spread


class LeverageOptions(contracts.Options):
    """Options of the scorer `leverage`."""

    space: str = Field("clip", description="The space of the vectors; several may be joined.")
    energy: float = Field(
        0.9, gt=0, le=1, description="The share of the variance that the kept directions have."
    )


class Leverage(PoolScorer):
    """ScalSelect's score (arXiv 2602.11636) on any space: || U_k[i] ||^2 of the centred vectors.

    With X = U S V^T, the row of U is x V / s, so that the d x d matrix X^T X is all that is
    decomposed.
    """

    version = "1"
    Options = LeverageOptions
    options: LeverageOptions

    def needs(self) -> Needs:
        """Return the space."""
        return Needs(spaces=(self.options.space,))

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the leverage (n,) of each row, from 0 to 1; all rows together have k."""
        vectors = pool.vectors(self.options.space)
        mean = sum(block.sum(axis=0) for _, block in _blocks(vectors)) / len(vectors)
        gram = np.zeros((vectors.shape[1],) * 2)
        for _, block in _blocks(vectors):
            centred = block - mean
            gram += centred.T @ centred
        directions = self._directions(gram)
        values = np.empty(len(vectors))
        for start, block in _blocks(vectors):
            part = (block - mean) @ directions
            values[start : start + len(block)] = np.einsum("ij,ij->i", part, part)
        return values

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x value / the greatest: leverages of a large pool are all small."""
        return share_of_longest(values)

    def _directions(self, gram: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return V_k / s (d, k): the fewest directions that have the share of the variance."""
        squares, axes = np.linalg.eigh(gram)
        squares, axes = squares[::-1].clip(min=0.0), axes[:, ::-1]
        total = squares.sum()
        if total <= 0:
            return np.empty((len(gram), 0))
        enough = np.cumsum(squares) >= self.options.energy * total * (1 - _NOTHING)
        k = int(np.argmax(enough)) + 1
        k = min(k, int((squares > _NOTHING * squares[0]).sum()))
        directions: NDArray[np.float64] = axes[:, :k] / np.sqrt(squares[:k])
        return directions


def _blocks(vectors: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    step = max(1, _BLOCK // vectors.shape[1])
    for start in range(0, len(vectors), step):
        yield start, vectors[start : start + step].astype(np.float64)
