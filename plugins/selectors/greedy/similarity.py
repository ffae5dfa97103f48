"""How alike two rows are, in the four ways that are published for facility location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ig4.plugins.selectors.greedy.picks import first_equal

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind: TypeAlias = Literal["cosine", "cosine-squared", "correlation-squared", "euclidean"]

STORED_ROWS = 10_000  # up to so many rows all similarities are kept: 400 MB
_BLOCK_BYTES = 1 << 25  # of similarities at a time


class Similarities:
    """The similarities of n rows, none below 0: stored if n is small, else computed when asked.

    `cosine` is clipped at 0. `cosine-squared` is (1 - cosine distance)^2, `correlation-squared` the
    same of the rows less their own means. `euclidean` is the greatest distance of the pool minus
    the distance. A vector of zeros has cosine 0 to all, itself too.

    Stored ones are computed in float64 and kept as float32; others are computed in float32, but
    `euclidean` in float64. Equal rows have equal similarities: they are computed once.
    """

    def __init__(
        self, vectors: NDArray[np.float32], kind: Kind, stored_rows: int = STORED_ROWS
    ) -> None:
        self.n = len(vectors)
        self.kind = kind
        stored = self.n <= stored_rows
        wide = stored or kind == "euclidean"
        self._points = prepared(vectors, kind, np.dtype(np.float64 if wide else np.float32))
        self._squares = np.einsum("ij,ij->i", self._points, self._points)
        self._firsts = first_equal(vectors)
        self._farthest = 0.0
        self._matrix: NDArray[np.float32] | None = None
        if kind == "euclidean":
            blocks = (self._distances(rows, int(rows[0])) for rows in self._blocks())
            self._farthest = max((float(block.max()) for block in blocks), default=0.0)
        if stored:
            self._matrix = self._full()

    def firsts(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return for each of some rows the lowest row that is equal to it."""
        return rows if self._firsts is None else self._firsts[rows]

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the similarities (r, n) of some rows to all; the array is the caller's own."""
        if self._matrix is not None:
            return self._matrix[rows]
        block = self._computed(self.firsts(rows))
        return block if self._firsts is None else block[:, self._firsts]

    def sums(self) -> NDArray[np.float64]:
        """Return the sum (n,) of the similarities of each row to all."""
        sums = np.empty(self.n)
        for rows in self._blocks():
            sums[rows] = self.rows(rows).sum(axis=1, dtype=np.float64)
        return self._as_firsts(sums)

    def diagonal(self) -> NDArray[np.float64]:
        """Return how alike each row is to itself, (n,)."""
        if self.kind == "euclidean":
            return np.full(self.n, self._farthest)
        own: NDArray[np.float64] = (self._squares > 0).astype(np.float64)
        return own

    def _blocks(self) -> list[NDArray[np.int64]]:
        """Return all rows, as many at a time as memory is to hold."""
        width = max(1, _BLOCK_BYTES // max(1, 8 * self.n))
        return [np.arange(start, min(start + width, self.n)) for start in range(0, self.n, width)]

    def _full(self) -> NDArray[np.float32]:
        """Return all similarities (n, n): one half is computed, the other its mirror image."""
        matrix = np.empty((self.n, self.n), dtype=np.float32)
        for rows in self._blocks():
            start = int(rows[0])
            block = self._computed(rows, start)
            matrix[rows, start:] = block
            matrix[start:, rows] = block.T
        self._as_firsts(matrix.T)
        return self._as_firsts(matrix)

    def _computed(self, rows: NDArray[np.int64], start: int = 0) -> NDArray[np.float32]:
        """Return the similarities of some rows to those from `start` on."""
        block: NDArray[np.floating]
        if self.kind == "euclidean":
            block = self._farthest - self._distances(rows, start)
        else:
            block = from_cosines(self._points[rows] @ self._points[start:].T, self.kind)
        return block.astype(np.float32, copy=False)

    def _distances(self, rows: NDArray[np.int64], start: int) -> NDArray[np.float64]:
        products = self._points[rows] @ self._points[start:].T
        squares = self._squares[rows, None] + self._squares[start:] - 2 * products
        np.maximum(squares, 0, out=squares)
        squares[np.arange(len(rows)), rows - start] = 0
        distances: NDArray[np.float64] = np.sqrt(squares, out=squares)
        return distances

    def _as_firsts(self, values: NDArray[Any]) -> NDArray[Any]:
        """Give each row, in place, the values of the lowest row that is equal to it."""
        if self._firsts is not None:
            again = np.flatnonzero(self._firsts != np.arange(self.n))
            values[again] = values[self._firsts[again]]
        return values


def prepared(
    vectors: NDArray[np.float32], kind: Kind, dtype: np.dtype[np.floating]
) -> NDArray[np.floating]:
    """Return the points (n, d) whose products, or distances, make the similarities."""
    points = vectors.astype(dtype)
    if kind == "euclidean":
        return points
    if kind == "correlation-squared":
        points -= points.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.einsum("ij,ij->i", points, points))[:, None]
    return np.divide(points, np.where(lengths > 0, lengths, 1), out=points)


def from_cosines(cosines: NDArray[np.floating], kind: Kind) -> NDArray[np.floating]:
    """Turn cosines into similarities, in place."""
    if kind == "cosine":
        np.maximum(cosines, 0, out=cosines)
    else:
        np.square(cosines, out=cosines)
    return cosines
