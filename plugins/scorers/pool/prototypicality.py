"""Prototypicality: how near a sample lies to the centre of its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from ig4.core import contracts
from ig4.core.contracts import Needs, PoolScorer
from ig4.core.contracts.pool import normalised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

_ROWS = 16_384  # at a time


class PrototypicalityOptions(contracts.Options):
    """Options of the scorer `prototypicality`."""

    space: str = Field("clip", description="The space of the vectors; several may be joined.")
    groups: str = Field(
        "", description="The grouping whose groups have a centre each, as clusters; by default "
        "the whole pool has one.",
    )  # fmt: skip


class Prototypicality(PoolScorer):
    """The cosine of a sample and the mean of its group's unit vectors.

    Sorscher and others 2022 (arXiv 2206.14486), with centres of groups for those of k-means.
    """

    version = "1"
    Options = PrototypicalityOptions
    options: PrototypicalityOptions

    def needs(self) -> Needs:
        """Return the space and, if there is one, the grouping."""
        o = self.options
        return Needs(spaces=(o.space,), groups=(o.groups,) if o.groups else ())

    def score_pool(self, pool: Pool) -> NDArray[np.float64]:
        """Return the cosine (n,) with the centre; NaN for rows that belong to no group.

        Of a row with several groups the first counts.
        """
        vectors = pool.vectors(self.options.space)
        labels, many = np.zeros(pool.n, dtype=np.int64), 1
        if self.options.groups:
            groups = pool.groups(self.options.groups)
            labels, many = groups.labels, max(1, len(groups.names))
        centres = np.zeros((many, vectors.shape[1]))
        for rows, unit in _blocks(vectors):
            own = labels[rows]
            np.add.at(centres, own[own >= 0], unit[own >= 0])
        lengths = np.linalg.norm(centres, axis=1, keepdims=True)
        centres /= np.where(lengths > 0, lengths, 1.0)
        values = np.empty(pool.n)
        for rows, unit in _blocks(vectors):
            values[rows] = np.einsum("ij,ij->i", unit, centres[labels[rows]])
        values[labels < 0] = np.nan
        return values

    def to_percent(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 100 x cosine, at least 0."""
        return np.clip(100.0 * values, 0.0, 100.0)


def _blocks(vectors: NDArray[np.float32]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, min(start + _ROWS, len(vectors)))
        yield rows, normalised(vectors[rows]).astype(np.float64)
