"""The order of the samples in a training, fixed before the first step."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def seeded_rng(seed: int, *names: object) -> np.random.Generator:
    """Return a generator that depends only on a seed and on the names of its purpose."""
    key = "\0".join(map(str, (seed, *names)))
    return np.random.default_rng(
        int.from_bytes(hashlib.blake2b(key.encode(), digest_size=16).digest(), "big")
    )


def batch_order(n: int, batch: int, steps: int, seed: int) -> NDArray[np.int64]:
    """Return (steps, batch) rows of 0..n-1: shuffled passes, each without its incomplete batch.

    A set smaller than a batch is repeated within it.
    """
    if n < batch:
        rows = [_shuffled(n, seed, i) for i in range(-(-batch * steps // n))]
        return np.concatenate(rows)[: batch * steps].reshape(steps, batch)
    each = n // batch
    rows = [_shuffled(n, seed, i)[: each * batch] for i in range(-(-steps // each))]
    return np.concatenate(rows).reshape(-1, batch)[:steps]


def epoch_order(n: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return (n x count,) rows of 0..n-1: complete shuffled passes, one after another."""
    rows = [_shuffled(n, seed, number) for number in range(count)]
    return np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)


def _shuffled(n: int, seed: int, number: int) -> NDArray[np.int64]:
    return seeded_rng(seed, "pass", number).permutation(n).astype(np.int64)
