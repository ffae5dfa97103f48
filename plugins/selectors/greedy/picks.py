"""What a greedy algorithm returns, and the small steps that they share."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Picks:
    """Rows (size,) int64 in the order in which they were taken, and what each was worth then."""

    rows: NDArray[np.int64]
    gains: NDArray[np.float64]

    def place(self, row: int) -> int | None:
        """Return at which place, from 0 on, a row was taken; None if it was not."""
        found = np.flatnonzero(self.rows == row)
        return int(found[0]) if len(found) else None


def dots(vectors: NDArray[np.float32], one: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the dot products (n,) of vectors (n, d) with one (d,).

    Each row is summed in the same order, so that equal rows get equal values and a tie is seen as
    one; a product of BLAS does not promise that.
    """
    products: NDArray[np.float32] = np.einsum("ij,j->i", vectors, one)
    return products


def squared_distances(
    vectors: NDArray[np.float32], one: NDArray[np.float32], block: int = 1 << 18
) -> NDArray[np.float32]:
    """Return the squared Euclidean distances (n,) of vectors (n, d) from one (d,).

    From differences rather than from products, so that an equal row is at distance 0 exactly.
    """
    n, d = vectors.shape
    found = np.empty(n, dtype=vectors.dtype)
    step = max(1, block // max(1, d))  # a block stays in the processor's cache
    for start in range(0, n, step):
        apart = vectors[start : start + step] - one
        np.einsum("ij,ij->i", apart, apart, out=found[start : start + step])
    return found


def first_equal(vectors: NDArray[np.floating]) -> NDArray[np.int64] | None:
    """Return for each of vectors (n, d) the lowest row that is equal, (n,); None if all differ."""
    seen: dict[bytes, int] = {}
    firsts = np.array(
        [
            seen.setdefault(blake2b(vector.tobytes(), digest_size=16).digest(), row)
            for row, vector in enumerate(vectors)
        ],
        dtype=np.int64,
    )
    return firsts if len(seen) < len(firsts) else None


def zero_to_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values (n,) stretched from 0 for the least to 1 for the greatest; equal ones are 0."""
    low, high = float(values.min()), float(values.max())
    if high <= low:
        return np.zeros(len(values))
    return (values - low) / (high - low)
