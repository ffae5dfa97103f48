"""Time `ig4 db merge` and `ig4 db copy`, beside writing the same scores in the first place.

python benchmarks/bench_merge.py                      # 1,000,000 samples, two shards of scores
python benchmarks/bench_merge.py --samples 100000
python benchmarks/bench_merge.py --to postgresql://…  # an empty database, for the copy
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ig4.core.engine.joining.copy import copy
from ig4.core.engine.joining.merge import merge
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage import datasets, runs, scores
from ig4.storage.runs import ComponentRow
from ig4.storage.store import Store

CHUNK = 20_000
SCORER = ComponentRow("scorer", "bench", "bench", "1", {}, "f" * 32)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def write(path: Path, count: int, shard: int, shards: int) -> None:
    """Make a database with the contents of all samples, and the scores of one shard."""
    with Store.open(path) as store:
        for start in range(0, count, CHUNK):
            numbers = range(start + 1, min(start + CHUNK, count) + 1)
            with store.writing() as connection:
                hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in numbers]
                datasets.content_ids(connection, hashes)
                component = runs.component_id(connection, SCORER)
                mine = ((n, n * 0.37, None, None) for n in numbers if n % shards == shard)
                scores.put(connection, component, None, mine)


def take(path: Path, others: list[Path]) -> None:
    with Store.open(path) as store:
        merge(Session(store, Host.discover()), others)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--to", help="an empty PostgreSQL database for the copy")
    arguments = parser.parse_args()
    count = arguments.samples
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = [folder / f"shard-{n}.db" for n in (0, 1)]
        written = seconds(lambda: [write(path, count, n, 2) for n, path in enumerate(shards)])
        merged = seconds(lambda: take(folder / "all.db", shards))
        again = seconds(lambda: take(folder / "all.db", shards))
        copied = seconds(lambda: copy(folder / "all.db", arguments.to or folder / "copy.db"))
    print(
        json.dumps(
            {
                "samples": count,
                "write_seconds": round(written, 2),
                "merge_seconds": round(merged, 2),
                "merge_again_seconds": round(again, 2),
                "copy_seconds": round(copied, 2),
                "merge_to_write": round(merged / written, 2),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
