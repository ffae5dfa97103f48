"""Pairs of hashes that differ in a few bits, found without comparing all with all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_BLOCK = 2048  # rows that are compared with others at a time
_NARROWEST = 4  # bits: parts of fewer tell hardly any two hashes apart


def are_hashes(vectors: NDArray[np.float32]) -> bool:
    """Return whether vectors (n, d) hold nothing but +1 and -1: bits that were written so."""
    return bool(len(vectors)) and all(
        bool((np.abs(vectors[start : start + _BLOCK]) == 1).all())
        for start in range(0, len(vectors), _BLOCK)
    )


def near_hashes(signs: NDArray[np.float32], bits: int) -> tuple[NDArray[np.int64], ...]:
    """Return all pairs of rows of hashes (n, d) of +1 and -1 that differ in at most `bits` places.

    Three arrays (p,): the lower row, the higher row, and in how many bits they differ; ordered by
    rows. Two hashes that differ in b bits agree in one of b + 1 parts, so only rows that agree in
    a part are compared (Norouzi, Punjani and Fleet 2012, section 2).
    """
    width = signs.shape[1]
    parts = np.array_split(np.arange(width), bits + 1)
    whole = width // (bits + 1) < _NARROWEST
    runs = [np.arange(len(signs))] if whole else [r for part in parts for r in _runs(signs, part)]
    found = [pair for run in runs for pair in _within(signs, run, bits)]
    if not found:
        return tuple(np.empty(0, dtype=np.int64) for _ in range(3))
    pairs = np.unique(np.concatenate(found), axis=0)
    return pairs[:, 0], pairs[:, 1], pairs[:, 2]


def _runs(signs: NDArray[np.float32], part: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield the rows, ascending, that agree in a part of the bits, where they are two or more."""
    keys = np.packbits(signs[:, part] > 0, axis=1)
    _, group, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group.reshape(-1), kind="stable")
    for end, count in zip(np.cumsum(counts).tolist(), counts.tolist(), strict=True):
        if count > 1:
            yield order[end - count : end]


def _within(
    signs: NDArray[np.float32], rows: NDArray[np.int64], bits: int
) -> Iterator[NDArray[np.int64]]:
    """Yield pairs among rows as (p, 3): lower row, higher row, differing bits."""
    own = signs[rows]
    width = own.shape[1]
    for start in range(0, len(rows), _BLOCK):
        agreement = own[start : start + _BLOCK] @ own[start:].T  # d - 2 x differing bits
        first, second = np.nonzero(agreement >= width - 2 * bits)
        later = second > first
        first, second = first[later], second[later]
        if len(first):
            differing = np.rint((width - agreement[first, second]) / 2).astype(np.int64)
            yield np.stack([rows[first + start], rows[second + start], differing], axis=1)
