"""How alike two rows are, in the four ways that are published for facility location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind: TypeAlias = Literal["cosine", "cosine-squared", "correlation-squared", "euclidean"]

STORED_ROWS = 10_000  # up to so many rows all similarities are kept: 400 MB
_BLOCK_BYTES = 1 << 26  # of similarities at a time
_STEPS = np.float32(1 << 20)  # similarities that are computed again lie on a grid of 1 / _STEPS


class Similarities:
    """The similarities of n rows, none below 0: stored if n is small, else computed when asked.

    `cosine` is clipped at 0. `cosine-squared` is (1 - cosine distance)^2, `correlation-squared` the
    same of the rows less their own means. `euclidean` is the greatest distance of the pool minus
    the distance. A vector of zeros has cosine 0 to all, itself too.

    Stored ones are computed in float64 and kept as float32, so that equal rows have equal
    similarities. Others are computed in float32 (`euclidean` in float64) and rounded to a millionth
    for the same end.
    """

    def __init__(
        self, vectors: NDArray[np.float32], kind: Kind, stored_rows: int = STORED_ROWS
    ) -> None:
        self.n = len(vectors)
        self.kind = kind
        stored = self.n <= stored_rows
        exact = stored or kind == "euclidean"
        self._points = prepared(vectors, kind, np.dtype(np.float64 if exact else np.float32))
        self._squares = np.einsum("ij,ij->i", self._points, self._points)
        self._rounded = not exact
        self._farthest = 0.0
        self._matrix: NDArray[np.float32] | None = None
        if kind == "euclidean":
            blocks = (self._distances(rows) for rows in self.blocks())
            self._farthest = max((float(block.max()) for block in blocks), default=0.0)
        if stored:
            self._matrix = np.empty((self.n, self.n), dtype=np.float32)
            for rows in self.blocks():
                self._matrix[rows] = self._computed(rows)

    @property
    def width(self) -> int:
        """How many rows can be asked for at a time in bounded memory."""
        return max(1, _BLOCK_BYTES // max(1, 8 * self.n))

    def blocks(self) -> list[NDArray[np.int64]]:
        """Return all rows in blocks of at most `width`."""
        return [
            np.arange(start, min(start + self.width, self.n))
            for start in range(0, self.n, self.width)
        ]

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the similarities (r, n) of some rows to all; the array is the caller's own."""
        if self._matrix is not None:
            return self._matrix[rows]
        return self._computed(rows)

    def diagonal(self) -> NDArray[np.float64]:
        """Return how alike each row is to itself, (n,)."""
        if self.kind == "euclidean":
            return np.full(self.n, self._farthest)
        own: NDArray[np.float64] = (self._squares > 0).astype(np.float64)
        return own

    def _computed(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.kind == "euclidean":
            return (self._farthest - self._distances(rows)).astype(np.float32)
        block = from_cosines(self._points[rows] @ self._points.T, self.kind)
        if self._rounded:
            np.rint(np.multiply(block, _STEPS, out=block), out=block)
            block /= _STEPS
        return block.astype(np.float32, copy=False)

    def _distances(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        products = self._points[rows] @ self._points.T
        squares = self._squares[rows, None] + self._squares[None] - 2 * products
        np.maximum(squares, 0, out=squares)
        squares[np.arange(len(rows)), rows] = 0
        distances: NDArray[np.float64] = np.sqrt(squares, out=squares)
        return distances


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
