"""Similarities of near rows alone: a graph, for pools whose pairs are too many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ig4.plugins.selectors.greedy.similarity import Kind, from_cosines, prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Neighbours

_BLOCK_BYTES = 1 << 27  # of vectors that are gathered at a time


@dataclass(frozen=True, slots=True)
class SimilarityGraph:
    """A symmetric sparse matrix: row i is alike to `columns[s:e]` by `values[s:e]`.

    `s, e = starts[i:i + 2]`; columns ascend, and each row is alike to itself. Two rows are joined
    if one is a neighbour of the other; any other pair counts as not alike (0).
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    values: NDArray[np.float32]

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the columns of a row, and how alike they are to it."""
        own = slice(self.starts[row], self.starts[row + 1])
        return self.columns[own], self.values[own]

    def diagonal(self) -> NDArray[np.float64]:
        """Return how alike each row is to itself, (n,)."""
        rows = np.repeat(np.arange(self.n), np.diff(self.starts))
        own: NDArray[np.float64] = self.values[rows == self.columns].astype(np.float64)
        return own


def similarity_graph(
    found: Neighbours, vectors: NDArray[np.float32], kind: Kind
) -> SimilarityGraph:
    """Join each row of vectors (n, d) with its neighbours.

    `euclidean` is the greatest distance between two neighbours minus the distance.
    """
    n, k = found.indices.shape
    own, values = _values(found, vectors, kind)
    rows = np.repeat(np.arange(n), k)
    others = found.indices.ravel()
    keys = np.concatenate([rows * n + others, others * n + rows, np.arange(n) * (n + 1)])
    values = np.concatenate([values, values, own])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    # A pair that is there from both sides is joined once.
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    values = np.maximum.reduceat(values[order], firsts) if n else values
    rows, columns = np.divmod(keys[firsts], max(1, n))
    starts = np.searchsorted(rows, np.arange(n + 1))
    return SimilarityGraph(starts.astype(np.int64), columns.astype(np.int32), values)


def _values(
    found: Neighbours, vectors: NDArray[np.float32], kind: Kind
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how alike each row is to itself (n,), and each to its neighbours (n x k,)."""
    if kind in ("cosine", "cosine-squared"):
        some = np.einsum("ij,ij->i", vectors, vectors) > 0
        pairs = from_cosines(found.similarity.astype(np.float32).ravel(), kind)
        return some.astype(np.float32), pairs.astype(np.float32)
    points = prepared(vectors, kind, np.dtype(np.float32))
    pairs = _pairs(found.indices, points, distances=kind == "euclidean")
    if kind == "euclidean":
        farthest = pairs.max(initial=0)
        return np.full(len(points), farthest, dtype=np.float32), farthest - pairs
    some = np.einsum("ij,ij->i", points, points) > 0
    return some.astype(np.float32), np.square(pairs)


def _pairs(
    indices: NDArray[np.int64], points: NDArray[np.floating], *, distances: bool
) -> NDArray[np.float32]:
    """Return the product, or the distance, of each row and each of its neighbours, (n x k,)."""
    n, k = indices.shape
    found = np.empty((n, k), dtype=np.float32)
    step = max(1, _BLOCK_BYTES // max(1, 4 * k * points.shape[1]))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        others = points[indices[rows]]
        if distances:
            others = others - points[rows, None]
            found[rows] = np.sqrt(np.einsum("ikd,ikd->ik", others, others))
        else:
            found[rows] = np.einsum("ikd,id->ik", others, points[rows])
    return found.ravel()
