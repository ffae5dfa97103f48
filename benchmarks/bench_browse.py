"""Time the browser's server on synthetic samples: start, first paint, sliders, map, search.

python benchmarks/bench_browse.py                      # 100,000 samples
python benchmarks/bench_browse.py --samples 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
from bench_store import write_data, write_scores

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.ingesting.vectors import VectorSource, import_vectors
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

TIMES = 5
DIMS = 16


def make(folder: Path, count: int) -> Path:
    """Make a database of samples with four scores, ten clusters, vectors, and a selection."""
    path = folder / "bench.db"
    write_data(folder / "llava.json", count)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(30, DIMS))
    near = centres[rng.integers(0, 30, count)] + rng.normal(scale=0.3, size=(count, DIMS))
    np.save(folder / "vectors.npy", near.astype(np.float32))
    with Store.open(path) as store:
        session = Session(store, Host.discover(), [])
        dataset = ingest(session, DatasetSource(folder / "llava.json", name="bench")).dataset
        write_scores(session, count)
        import_vectors(session, dataset, VectorSource(folder / "vectors.npy", "given"))
        select(session, dataset, SelectionRequest(size=count * 6 // 100))
    return path


class Server:
    """A running `ig4 browse`."""

    def __init__(self, database: Path) -> None:
        command = [sys.executable, "-m", "ig4.cli.main", "browse", "--db", database, "--port", "0"]
        began = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found, "the server did not start"
        self.address = found[0].rstrip("/")
        self.ask("/api/about")
        self.started = time.perf_counter() - began

    def ask(self, path: str, **query: object) -> dict:
        with urllib.request.urlopen(f"{self.address}{path}?{urllib.parse.urlencode(query)}") as got:
            return json.load(got)

    def seconds(self, path: str, *queries: dict) -> float:
        """Return the median seconds of an answer, of queries that nobody asked before."""
        took = []
        for query in queries:
            began = time.perf_counter()
            self.ask(path, **query)
            took.append(time.perf_counter() - began)
        return float(np.median(took))

    def memory(self) -> float:
        """Return the most memory that it has had so far, in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", text)[0]) / 1024

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def first_paint(address: str) -> float | None:
    """Return the median seconds until cards are in sight; None without a browser."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if chromium is None:
        return None
    took = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(TIMES):
            page = browser.new_context().new_page()
            began = time.perf_counter()
            page.goto(address)
            page.locator(".card .card-id").first.wait_for()
            took.append(time.perf_counter() - began)
            page.close()
        browser.close()
    return float(np.median(took))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--samples", type=int, default=100_000)
    count = options.parse_args().samples
    with tempfile.TemporaryDirectory() as name:
        database = make(Path(name), count)
        server = Server(database)
        try:
            report(server, count)
        finally:
            server.stop()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(making the database took {own:,.0f} MB)")


def report(server: Server, count: int) -> None:
    print(f"{count:,} samples: ready {server.started:.1f} s after the command")
    painted = first_paint(server.address)
    print("first paint:", "no browser" if painted is None else f"{painted:.2f} s (goal 2)")
    size = count * 6 // 100
    asked = {
        "a slider of a weight (goal 0.3 for 100,000)": (
            "/api/whatif", [{"weight.clip": 0.1 * n} for n in range(1, TIMES + 1)]),
        "a slider of the size": ("/api/whatif", [{"size": size - n} for n in range(TIMES)]),
        "another scale, the first time": ("/api/whatif", [{"scale": "percentile"}]),
        "the map, whole": ("/api/map", [{"view": "all"}] * TIMES),
        "the map, a part": ("/api/map", [{"view": "all", "box": f"0.4,0.4,0.{n},0.6"}
                                         for n in range(5, 5 + TIMES)]),
        "histograms with a range": ("/api/histograms", [{"view": "all", "range.clip": f"{n},30"}
                                                        for n in range(TIMES)]),
        "a page of a sorted list": ("/api/samples", [{"view": "all", "sort": "by:clip",
                                                      "range.gpt": f"{n},40"}
                                                     for n in range(TIMES)]),
        "a search": ("/api/samples", [{"view": "all", "q": f"number {n}77"} for n in range(TIMES)]),
        "a sample with its neighbours": (f"/api/sample/{count // 2}", [{}] * TIMES),
    }  # fmt: skip
    for what, (path, queries) in asked.items():
        print(f"{what}: {server.seconds(path, *queries):.3f} s")
    print(f"memory of the server at most: {server.memory():,.0f} MB")


if __name__ == "__main__":
    main()
