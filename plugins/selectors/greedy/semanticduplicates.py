"""SemDeDup: how near each row is to those before it in its cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Keep: TypeAlias = Literal["hard", "easy", "random"]

_BLOCK_BYTES = 1 << 26
_DECIMALS = 6  # what float32 tells of a cosine; equal rows are then equally near


@dataclass(frozen=True, slots=True)
class DuplicateScores:
    """For each row, the greatest cosine (n,) to a row before it in its cluster, and that row (n,).

    The first of a cluster has none: -inf, and row -1.
    """

    nearness: NDArray[np.float64]
    nearest: NDArray[np.int64]


def duplicate_scores(
    unit: NDArray[np.float32],
    clusters: NDArray[np.int64],
    keep: Keep,
    rng: np.random.Generator,
) -> DuplicateScores:
    """Compare each of unit vectors (n, d) with those before it in its cluster (n,).

    In a cluster, rows stand by their similarity to its centroid: those far from it first (`hard`),
    or last (`easy`), or in an order that is drawn (`random`). Rows of cluster -1 are compared with
    none. See Abbas et al. 2023, section 3.
    """
    nearness = np.full(len(unit), -np.inf)
    nearest = np.full(len(unit), -1, dtype=np.int64)
    drawn = rng.permutation(len(unit))
    order = np.argsort(clusters, kind="stable")
    bounds = np.flatnonzero(np.diff(clusters[order], prepend=np.nan, append=np.nan) != 0)
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        rows = order[start:end]
        if clusters[rows[0]] < 0:
            continue
        rows = _ordered(unit, rows, keep, drawn)
        nearness[rows], nearest[rows] = _before(unit[rows], rows)
    return DuplicateScores(nearness, nearest)


def _ordered(
    unit: NDArray[np.float32], rows: NDArray[np.int64], keep: Keep, drawn: NDArray[np.int64]
) -> NDArray[np.int64]:
    if keep == "random":
        return rows[np.argsort(drawn[rows], kind="stable")]
    centroid = unit[rows].mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(centroid)
    alike = np.einsum("ij,j->i", unit[rows].astype(np.float64), centroid / (length or 1.0))
    alike = np.round(alike, _DECIMALS)
    return rows[np.argsort(alike if keep == "hard" else -alike, kind="stable")]


def _before(
    unit: NDArray[np.float32], rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the greatest cosine of each row to those before it, and which row that is."""
    n = len(unit)
    nearness = np.full(n, -np.inf)
    nearest = np.full(n, -1, dtype=np.int64)
    wide = unit.astype(np.float64)
    step = max(1, _BLOCK_BYTES // max(1, 8 * n))
    for start in range(0, n, step):
        end = min(start + step, n)
        block = np.round(wide[start:end] @ wide[:end].T, _DECIMALS)
        block[np.arange(end) >= np.arange(start, end)[:, None]] = -np.inf
        at = np.argmax(block, axis=1)
        nearness[start:end] = block[np.arange(end - start), at]
        nearest[start:end] = np.where(np.isinf(nearness[start:end]), -1, rows[at])
    return nearness, nearest
