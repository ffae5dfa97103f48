"""Time facility location: dense beside apricot-select on the same vectors, and sparse.

python benchmarks/bench_facility_location.py                     # 1,000 of 5,000, and of 100,000
python benchmarks/bench_facility_location.py --large 20000       # a smaller sparse pool

apricot-select is asked for if it and numba are installed (`pip install apricot-select numba`);
compiling its functions is not counted.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ig4.core.contracts.pool import normalised
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import ArrayPoolData, make_pool
from ig4.plugins.selectors.greedy.facilitylocation import SparseCoverage, facility_location
from ig4.plugins.selectors.greedy.graph import similarity_graph

DIMENSIONS = 512


def mixed(n: int) -> NDArray[np.float32]:
    """Return vectors around 200 centres of very different weight."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(200, DIMENSIONS))
    own = centres[rng.choice(200, n, p=rng.dirichlet(np.full(200, 0.5)))]
    return normalised((own + rng.normal(size=own.shape)).astype(np.float32))


def timed(work: Callable[[], NDArray[np.int64]]) -> tuple[float, NDArray[np.int64]]:
    began = time.perf_counter()
    rows = work()
    return time.perf_counter() - began, rows


def dense(vectors: NDArray[np.float32], size: int) -> NDArray[np.int64]:
    options = {"similarity": "cosine-squared", "mode": "dense"}
    selector = Host.discover().build(Choice("selector", "facility-location", options))
    data = ArrayPoolData(len(vectors), spaces={"clip": vectors})
    return selector.choose(make_pool(data, selector.needs(), size=size))


def apricot_rows(vectors: NDArray[np.float32], size: int) -> NDArray[np.int64]:
    from apricot import FacilityLocationSelection

    model = FacilityLocationSelection(size, metric="cosine", optimizer="lazy")
    return np.asarray(model.fit(vectors).ranking)


def compare_dense(n: int, size: int) -> None:
    vectors = mixed(n)
    ours = min(timed(lambda: dense(vectors, size))[0] for _ in range(3))
    print(f"dense, {size:,} of {n:,} x {DIMENSIONS}: {ours:.2f} s (goal 5)")
    try:
        apricot_rows(vectors[:100], 10)
    except ImportError as error:
        print(f"  not compared with apricot-select: {error}")
        return
    theirs = min(timed(lambda: apricot_rows(vectors, size))[0] for _ in range(3))
    same = np.array_equal(dense(vectors, size), apricot_rows(vectors, size))
    print(f"  apricot-select, lazy: {theirs:.2f} s, {theirs / ours:.1f} times as long (goal 1)")
    print(f"  {'the same' if same else 'other'} rows in the same order")


def sparse(n: int, size: int, neighbours: int) -> None:
    vectors = mixed(n)
    index = Host.discover().build(Choice("index", "faiss", {}))
    began, worked = time.perf_counter(), time.process_time()
    found = index.neighbours(vectors, neighbours, 0)
    took = time.perf_counter() - began
    began = time.perf_counter()
    graph = similarity_graph(found, vectors, "cosine")
    facility_location(SparseCoverage(graph), size)
    chose, worked = time.perf_counter() - began, time.process_time() - worked
    print(
        f"sparse, {size:,} of {n:,} x {DIMENSIONS}, {neighbours} neighbours: neighbours {took:.1f} "
        f"s, choice {chose:.1f} s, together {took + chose:.1f} s (goal 60)"
    )
    print(f"  processor time {worked:.0f} s")
    print(f"  memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--small", type=int, default=5_000, help="samples for dense")
    parser.add_argument("--large", type=int, default=100_000, help="samples for sparse")
    parser.add_argument("--size", type=int, default=1_000, help="samples to select")
    parser.add_argument("--neighbours", type=int, default=100)
    given = parser.parse_args()
    compare_dense(given.small, given.size)
    sparse(given.large, given.size, given.neighbours)


if __name__ == "__main__":
    main()
