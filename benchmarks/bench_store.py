"""Time the store: reading records in, writing scores, selecting, and a run with nothing to do.

python benchmarks/bench_store.py                      # 200,000 samples
python benchmarks/bench_store.py --samples 1000000
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage import clusters, runs, samples, scores
from ig4.storage.store import Store

SCORERS = ("clip", "length", "reward", "gpt")
CHUNK = 10_000


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def write_data(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for n in range(count):
            turns = [
                {"from": "human", "value": f"What is in picture number {n}?"},
                {
                    "from": "gpt",
                    "value": f"Picture {n} shows a man with a dog on a lawn by a river.",
                },
            ]
            file.write("[" if n == 0 else ",\n")
            file.write(json.dumps({"id": f"{n:08d}", "conversations": turns}))
        file.write("]")


def write_scores(session: Session, count: int) -> float:
    """Store four imported scorers; returns rows a second."""
    store, dataset = session.store, session.dataset()
    rng = np.random.default_rng(0)
    with store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, dataset.id)
    took = 0.0
    for name in SCORERS:
        row = runs.ComponentRow("scorer", name, "imported", "1", {"scale_of": name}, name)
        with store.writing() as connection:
            component = runs.component_id(connection, row)
            scores.bind(connection, dataset.id, name, component, imported=True)
        values = (rng.random(count) * 50).tolist()
        rows = [(c, v, None, None) for c, v in zip(contents.tolist(), values, strict=True)]

        def put(component: int = component, rows: list = rows) -> None:
            for start in range(0, count, CHUNK):
                with store.writing() as connection:
                    scores.put(connection, component, None, rows[start : start + CHUNK])

        took += seconds(put)
    row = runs.ComponentRow("clusterer", "spectral", "imported", "1", {}, "spectral")
    with store.writing() as connection:
        clusters.put(
            connection, dataset_id=dataset.id, name="spectral",
            component_id=runs.component_id(connection, row), inputs="bench", k=10, seed=None,
            imported=True, run_id=None, samples=ids, labels=rng.integers(0, 10, count),
        )  # fmt: skip
    return len(SCORERS) * count / took


def selecting(session: Session, request: SelectionRequest) -> float:
    """Return the least seconds of three selections."""
    return min(seconds(lambda: select(session, session.dataset(), request)) for _ in range(3))


def second_run(folder: Path) -> float:
    """Return the seconds of `ig4 run` with nothing to do, the command's start included."""
    command = [
        sys.executable, "-m", "ig4.cli.main", "run", str(folder / "llava.json"), "-q",
        "--name", "bench", "--scorers", ",".join(SCORERS), "--size", "200",
        "--db", str(folder / "bench.db"), "--out", str(folder / "out.json"),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--samples", type=int, default=200_000)
    count = options.parse_args().samples
    gc.set_threshold(50_000, 20, 50)  # as the command does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder / "llava.json", count)
        with Store.open(folder / "bench.db") as store:
            session = Session(store, Host.discover())
            source = DatasetSource(folder / "llava.json", name="bench")
            took = seconds(lambda: ingest(session, source))
            print(f"ingest          {count / took:>12,.0f} records/s   goal 30,000")
            print(
                f"score rows      {write_scores(session, count):>12,.0f} rows/s      goal 100,000"
            )
            request = SelectionRequest(size=200)
            balanced = replace(request, selector=Choice("selector", "balanced"))
            took = seconds(lambda: select(session, session.dataset(), request))
            print(f"first selection {took:>12.2f} s           the groups are made, once")
            took = selecting(session, request)
            print(f"select          {took:>12.2f} s           goal 2 for a million")
            took = selecting(session, balanced)
            print(f"balanced        {took:>12.2f} s           goal 5 for a million")
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            print(f"memory          {most:>12.2f} GB          goal 1.5 for a million")
        print(f"run, no work    {second_run(folder):>12.2f} s           goal 10 for a million")


if __name__ == "__main__":
    main()
