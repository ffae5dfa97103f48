"""k-means of unit vectors in numpy, whose result does not depend on the order of the rows."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.statistics.groupsums import group_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

FITTED = 50_000
"""The most rows that centres are fitted to; the others go to the nearest centre."""

_ROUNDS = 50
_BLOCK = 16_384


def kmeans(vectors: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:
    """Return the cluster (n,) of vectors (n, d) float32 of length 1, by cosine; at most k clusters.

    Centres start as in k-means++ (Arthur and Vassilvitskii 2007) and are unit vectors themselves
    (spherical k-means, Dhillon and Modha 2001). Rows are taken in the order of a digest of their
    values, so that another order gives the same clusters; of more than `FITTED`, the centres are
    fitted to the first in that order, which is a random choice that no seed changes. Clusters are
    numbered by size, the largest first.
    """
    if len(vectors) == 0:
        return np.empty(0, dtype=np.int64)
    order, distinct = _digest_order(vectors)
    k = min(k, len(distinct))
    sample = _rows(vectors, order[:FITTED])
    centres = _first_centres(_rows(vectors, distinct[:FITTED]), k, seed)
    labels = _nearest(sample, centres)
    for _ in range(_ROUNDS):
        centres = _moved(sample, labels, centres)
        again = _nearest(sample, centres)
        if np.array_equal(again, labels):
            break
        labels = again
    return _by_size(_nearest(vectors, centres), k)


def _rows(vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return some rows, in the order given, read from first to last: they may lie in a file."""
    rising = np.argsort(rows, kind="stable")
    found = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
    found[rising] = vectors[rows[rising]]
    return found


def _digest_order(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows in the order of their digests, and of these the first of each value."""
    joined = b"".join(blake2b(row.tobytes(), digest_size=8).digest() for row in vectors)
    digests = np.frombuffer(joined, dtype="<u8")
    order = np.argsort(digests, kind="stable")
    ordered = digests[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return order, order[new]


def _first_centres(points: NDArray[np.float32], k: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng([seed, k])
    chosen = [int(rng.integers(len(points)))]
    far = 1.0 - points @ points[chosen[0]]
    while len(chosen) < k:
        weight = np.maximum(far.astype(np.float64), 0.0)
        weight[chosen] = 0.0
        if weight.sum() <= 0:
            break
        pick = int(rng.choice(len(points), p=weight / weight.sum()))
        chosen.append(pick)
        np.minimum(far, 1.0 - points @ points[pick], out=far)
    return points[chosen]


def _nearest(vectors: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    parts = [
        np.argmax(vectors[start : start + _BLOCK] @ centres.T, axis=1)
        for start in range(0, len(vectors), _BLOCK)
    ]
    return np.concatenate(parts).astype(np.int64)


def _moved(
    points: NDArray[np.float32], labels: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the mean directions of clusters; one without points stays where it is."""
    sums = group_sums(points, labels, len(centres))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    moved = np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1.0), centres)
    return np.asarray(moved, dtype=np.float32)


def _by_size(labels: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    counts = np.bincount(labels, minlength=k)
    place = np.empty(k, dtype=np.int64)
    place[np.argsort(-counts, kind="stable")] = np.arange(k)
    return np.asarray(place[labels])
