"""A TF-IDF weighting and the directions in which the weighted terms of some texts vary most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.plugins.embedders.tfidf.terms import TermCounts

_ROWS = 4096  # that are multiplied at a time
_LONG = 256  # entries from which a row is multiplied on its own
_MORE = 10  # directions that are followed and then dropped
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class TfidfModel:
    """What a fit has learned.

    `column_of` (features,) int64 is the place of each feature among the m that the fit has seen,
    -1 for others. `idf` (m,) float32; `directions` (m, d) float32, orthonormal columns, the
    strongest first.
    """

    column_of: NDArray[np.int64]
    idf: NDArray[np.float32]
    directions: NDArray[np.float32]

    def transform(self, terms: TermCounts) -> NDArray[np.float32]:
        """Return vectors (n, d) float32: weighted terms of length 1, along the directions.

        A text whose terms are all unknown is a vector of zeros.
        """
        starts, columns, weights = _weighted(terms, self.column_of, self.idf)
        return _times(starts, columns, weights, self.directions)


def fit(terms: TermCounts, features: int, dims: int) -> TfidfModel:
    """Return the model of n texts.

    Weights are (1 + log count) x (1 + log((1 + n) / (1 + texts with the term))), and the row is
    divided by its length. Directions are right singular vectors, by subspace iteration from a
    fixed seed (Halko, Martinsson and Tropp 2011, algorithm 4.4); the entry of each that is
    largest, the first of equal ones, is positive.
    """
    n = len(terms.starts) - 1
    used, frequency = np.unique(terms.features, return_counts=True)
    column_of = np.full(features, -1, dtype=np.int64)
    column_of[used] = np.arange(len(used))
    idf = (1 + np.log((1 + n) / (1 + frequency))).astype(np.float32)
    if not len(used):
        return TfidfModel(column_of, idf, np.zeros((0, 1), dtype=np.float32))
    starts, columns, weights = _weighted(terms, column_of, idf)
    return TfidfModel(column_of, idf, _directions(starts, columns, weights, len(used), dims))


def _weighted(
    terms: TermCounts, column_of: NDArray[np.int64], idf: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    columns = column_of[terms.features]
    known = columns >= 0
    rows, columns = terms.rows[known], columns[known]
    weights = (1 + np.log(terms.counts[known])) * idf[columns]
    squares = np.bincount(rows, weights=weights**2, minlength=len(terms.starts) - 1)
    weights = (weights / np.sqrt(squares)[rows]).astype(np.float32)
    starts = np.searchsorted(rows, np.arange(len(terms.starts)))
    return starts, columns, weights


def _directions(
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    m: int,
    dims: int,
) -> NDArray[np.float32]:
    n = len(starts) - 1
    dims = min(dims, n, m)
    width = min(dims + _MORE, n, m)
    by_column = np.argsort(columns, kind="stable")
    column_starts = np.searchsorted(columns[by_column], np.arange(m + 1))
    rows = np.repeat(np.arange(n), np.diff(starts))[by_column]
    turned = weights[by_column]

    def down(dense: NDArray[np.float32]) -> NDArray[np.float32]:
        return _times(column_starts, rows, turned, dense)

    start = np.random.default_rng(0).standard_normal((m, width)).astype(np.float32)
    base = _orthonormal(_times(starts, columns, weights, start))
    for _ in range(_ROUNDS):
        base = _orthonormal(down(base))
        base = _orthonormal(_times(starts, columns, weights, base))
    kept = _orthonormal(down(base))[:, :dims]
    largest = np.argmax(np.abs(kept).round(5), axis=0)  # rounded: equal ones, the first
    signs = np.sign(kept[largest, np.arange(kept.shape[1])])
    return np.ascontiguousarray(kept * np.where(signs == 0, 1, signs), dtype=np.float32)


def _orthonormal(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the left singular vectors of a tall matrix (n, d), the strongest first.

    Of as many columns as it has independent ones; by way of its Gram matrix, many times faster
    than a QR of it.
    """
    exact = matrix.astype(np.float64)
    values, vectors = np.linalg.eigh(exact.T @ exact)
    values, vectors = values[::-1], vectors[:, ::-1]
    sound = values > 1e-10 * values[0]
    found: NDArray[np.float32] = (exact @ vectors[:, sound] / np.sqrt(values[sound])).astype(
        np.float32
    )
    return found


def _times(
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    dense: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return a sparse matrix (n, m), row by row, times a dense one (m, d)."""
    lengths = np.diff(starts)
    result = np.zeros((len(lengths), dense.shape[1]), dtype=np.float32)
    for row in np.flatnonzero(lengths > _LONG).tolist():
        part = slice(int(starts[row]), int(starts[row + 1]))
        result[row] = weights[part] @ dense[columns[part]]
    short = np.flatnonzero((lengths > 0) & (lengths <= _LONG))
    order = short[np.argsort(-lengths[short], kind="stable")]
    for first in range(0, len(order), _ROWS):
        rows = order[first : first + _ROWS]
        result[rows] = _sums(starts[rows], lengths[rows], columns, weights, dense)
    return result


def _sums(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float32],
    dense: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the products of rows that stand by falling length: of all the n-th entries at once."""
    total = np.zeros((len(starts), dense.shape[1]), dtype=np.float32)
    product = np.empty_like(total)
    for n in range(int(lengths[0])):
        count = int(np.searchsorted(-lengths, -n, side="left"))  # rows of more than n entries
        at = starts[:count] + n
        np.take(dense, columns[at], axis=0, out=product[:count], mode="clip")
        product[:count] *= weights[at, None]
        total[:count] += product[:count]
    return total
