"""Time the index faiss on vectors that lie in clusters, and on vectors without any structure.

python benchmarks/bench_neighbours.py                    # 100,000 x 512, 10 neighbours
python benchmarks/bench_neighbours.py --samples 20000 --neighbours 100
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from numpy.typing import NDArray

from ig4.core.contracts.pool import normalised
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.statistics.neighbours import top_columns

CHECKED = 1_000
"""Rows that are searched exactly, drawn otherwise than those that the index itself checks."""


def clustered(n: int, d: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(300, d))
    own = centres[rng.integers(0, 300, n)]
    return normalised((own + 0.7 * rng.normal(size=own.shape)).astype(np.float32))


def gaussian(n: int, d: int) -> NDArray[np.float32]:
    return normalised(np.random.default_rng(0).normal(size=(n, d)).astype(np.float32))


def exact(
    vectors: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
    """Return some rows, their true neighbours, and how long all rows would take in this way."""
    rows = np.random.default_rng(99).choice(len(vectors), CHECKED, replace=False)
    began = time.perf_counter()
    block = vectors[rows] @ vectors.T
    block[np.arange(CHECKED), rows] = -np.inf
    true = top_columns(block, k)
    return rows, true, (time.perf_counter() - began) * len(vectors) / CHECKED


MAKERS = {"clusters": clustered, "gaussian": gaussian}


def measure(name: str, vectors: NDArray[np.float32], k: int) -> None:
    rows, true, all_rows = exact(vectors, k)
    index = Host.discover().build(Choice("index", "faiss", {}))
    began, worked = time.perf_counter(), time.process_time()
    found = index.neighbours(vectors, k, 0)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    pairs = zip(true.tolist(), found.indices[rows].tolist(), strict=True)
    recall = sum(len({*a} & {*b}) for a, b in pairs) / true.size
    print(
        f"{name}: {took:.1f} s (goal 60), processor time {worked:.0f} s, recall {recall:.3f} (goal "
        f"0.95); comparing all with all would take {all_rows:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--neighbours", type=int, default=10)
    parser.add_argument("--only", choices=MAKERS, action="append", help="these vectors alone")
    given = parser.parse_args()
    print(f"{given.neighbours} neighbours of {given.samples:,} x {given.dimensions}")
    for name in given.only or MAKERS:
        vectors = MAKERS[name](given.samples, given.dimensions)
        measure(name, vectors, given.neighbours)
    print(f"memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB at most")


if __name__ == "__main__":
    main()
