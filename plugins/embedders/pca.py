"""The directions in which the vectors of a space differ most, for maps and for less to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core.contracts import Needs, Options, PoolEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

_BLOCK = 16_384


class PcaOptions(Options):
    """Options of the embedder `pca`."""

    space: str = Field("clip", description="The space whose vectors are projected.")
    dims: int = Field(2, ge=1, le=512, description="Numbers of a vector.")


class Pca(PoolEmbedder):
    """Principal components (Pearson 1901) of the vectors of a space, each of length 1 before.

    Made of the covariance, a block of rows at a time. The sign of each direction is such that its
    largest number is positive. A space of fewer numbers, or of fewer samples, gives as many as
    there are, and zeros.
    """

    version = "1"
    Options = PcaOptions
    options: PcaOptions

    def needs(self) -> Needs:
        """The vectors of the space; samples without one have no place."""
        return Needs(spaces=(self.options.space,))

    def embed_pool(self, pool: Pool) -> NDArray[np.float32]:
        """Return (n, dims) float32; NaN for samples without a vector."""
        vectors = pool.vectors(self.options.space)
        known = np.flatnonzero(~np.isnan(vectors[:, 0]))  # NaN throughout where there is none
        mean, directions = principal_directions(vectors, known, self.options.dims)
        found = np.full((pool.n, self.options.dims), np.nan, dtype=np.float32)
        for rows in _blocks(known):
            found[rows] = (_unit(vectors[rows]) - mean) @ directions
        return found


def principal_directions(
    vectors: NDArray[np.float32], known: NDArray[np.int64], dims: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean (d,) and the first directions (d, dims) of the rows `known` of `vectors`."""
    d = vectors.shape[1]
    total, products = np.zeros(d), np.zeros((d, d))
    for rows in _blocks(known):
        block = _unit(vectors[rows])
        total += block.sum(axis=0)
        products += block.T @ block
    mean = total / max(1, len(known))
    covariance = products / max(1, len(known)) - np.outer(mean, mean)
    _, columns = np.linalg.eigh(covariance)
    found = columns[:, ::-1][:, :dims]
    largest = np.abs(found).argmax(axis=0)
    signs = np.where(found[largest, np.arange(found.shape[1])] < 0, -1.0, 1.0)
    directions = np.zeros((d, dims))
    directions[:, : found.shape[1]] = found * signs
    return mean, directions


def _unit(block: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = block.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1.0)


def _blocks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]
