"""Time each command on ten thousand to ten million samples: seconds, memory, and how they grow.

python benchmarks/bench_scale.py                                  # 10,000 and 100,000
python benchmarks/bench_scale.py --samples 10000 100000 1000000   # an hour or so on two cores
python benchmarks/bench_scale.py --samples 10000000 --without-vectors

Records are synthetic, in LLaVA's form, without images. Each stage is a command of its own. Memory
is the largest sum of a command's own pages (RssAnon): vectors are mapped from files, whose pages
the system may drop at any time. The slope between two numbers of samples is 1 where time grows as
they do, and 2 where it grows with their square.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 50_000
WORDS = (
    "river", "street", "market", "window", "yellow", "bicycle", "morning", "shadow", "kitchen",
    "mountain", "paper", "bridge", "orange", "station", "garden", "umbrella", "harbour", "ladder",
)  # fmt: skip
GOALS = {"no-op run": "10 s at 10^6", "kmeans": "60 s at 665,000", "spectral": "300 s at 665,000"}


@dataclass(frozen=True)
class Measured:
    """What one command took: seconds, processor seconds, and megabytes of its own at most."""

    seconds: float
    processor: float
    megabytes: float


def write_records(path: Path, count: int) -> None:
    rng = np.random.default_rng(count)
    with path.open("w", encoding="utf-8") as file:
        for start in range(0, count, BLOCK):
            size = min(BLOCK, count - start)
            lengths = rng.integers(4, 40, size)
            words = rng.integers(0, len(WORDS), (size, 40))
            for row in range(size):
                answer = " ".join(WORDS[word] for word in words[row, : lengths[row]])
                number = start + row
                turns = [
                    {"from": "human", "value": f"What is in picture number {number}?"},
                    {"from": "gpt", "value": answer},
                ]
                file.write("[" if number == 0 else ",\n")
                file.write(json.dumps({"id": f"{number:08d}", "conversations": turns}))
        file.write("]")


def write_vectors(path: Path, count: int, dimensions: int) -> None:
    """Write vectors of themes that overlap, of few dimensions within the many they have."""
    rng = np.random.default_rng(0)
    themes, latent = 30, min(24, dimensions)
    centres = 1.1 * rng.normal(size=(themes, latent))
    shares = np.arange(1, themes + 1) ** -0.7
    basis = rng.normal(size=(latent, dimensions)).astype(np.float32)
    shape = (count, dimensions)
    matrix = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        own = rng.choice(themes, size, p=shares / shares.sum())
        points = (centres[own] + rng.normal(size=(size, latent))).astype(np.float32) @ basis
        points += 0.3 * rng.normal(size=points.shape).astype(np.float32)
        matrix[start : start + size] = points / np.linalg.norm(points, axis=1, keepdims=True)
    matrix.flush()


def own_megabytes(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines.get("RssAnon", "0 kB").split()[0]) / 1e3


def run(*arguments: str) -> Measured:
    """Run `ig4` with arguments, and watch its memory."""
    command = [sys.executable, "-m", "ig4.cli.main", *arguments]
    most, done = 0.0, threading.Event()
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, own_megabytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    status, used = wait(process.pid)
    seconds = time.perf_counter() - began
    done.set()
    watcher.join()
    if status:
        raise SystemExit(f"ig4 {' '.join(arguments)} failed: {status}")
    return Measured(seconds, used, most)


def wait(process: int) -> tuple[int, float]:
    """Return the exit status of a child, and the seconds of processors that it used."""
    _, status, usage = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime


def stages(folder: Path, count: int, dimensions: int | None, clusters: int) -> dict[str, Measured]:
    """Run all stages on `count` samples, and return what each took."""
    data, db = folder / "llava.json", str(folder / "bench.db")
    write_records(data, count)
    common = ("--db", db, "--quiet")
    size = ("--size", str(max(1, count // 100)))
    scored = (
        "run", str(data), "--name", "scale", "--scorers", "length", "--clusterer", "none", *size,
        "--out", str(folder / "run.json"), *common,
    )  # fmt: skip
    found = {
        "ingest": run("ingest", str(data), "--name", "scale", *common),
        "length": run("score", "--scorers", "length", "--no-check", *common),
        "plan": run("score", "--scorers", "length", "--no-check", *common),
    }
    if dimensions is not None:
        vectors = folder / "vectors.npy"
        write_vectors(vectors, count, dimensions)
        found["import vectors"] = run("import-vectors", str(vectors), "--as", "synthetic", *common)
        for name in ("kmeans", "spectral"):
            chosen = ("--clusterer", name, "--space", "synthetic", "--k", str(clusters))
            found[name] = run("cluster", *chosen, *common)
    found["select"] = run("select", *size, "--clusterer", "none", *common)
    found["export"] = run("export", str(folder / "out.json"), *common)
    run(*scored)
    found["no-op run"] = run(*scored)
    return found


def slope(less: Measured, more: Measured, factor: float) -> float:
    return math.log(more.seconds / less.seconds) / math.log(factor)


def show(table: dict[int, dict[str, Measured]]) -> None:
    counts = sorted(table)
    for name in dict.fromkeys(stage for count in counts for stage in table[count]):
        cells = []
        for place, count in enumerate(counts):
            one = table[count].get(name)
            if one is None:
                continue
            before = table[counts[place - 1]].get(name) if place else None
            grows = f" slope {slope(before, one, count / counts[place - 1]):.2f}" if before else ""
            cells.append(
                f"{count:>10,}: {one.seconds:8.1f} s ({one.processor:.1f} of processors), "
                f"{one.megabytes:,.0f} MB{grows}"
            )
        print(f"{name}" + (f" (goal {GOALS[name]})" if name in GOALS else ""))
        print("\n".join(f"  {cell}" for cell in cells))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--samples", type=int, nargs="+", default=[10_000, 100_000])
    options.add_argument("--dimensions", type=int, default=512)
    options.add_argument("--clusters", type=int, default=30)
    options.add_argument("--without-vectors", action="store_true", help="no kmeans, no spectral")
    options.add_argument("--folder", type=Path, help="where the files go, some 10 GB at 10^6")
    options.add_argument("--json", type=Path, help="a file for the numbers")
    given = options.parse_args()
    dimensions = None if given.without_vectors else given.dimensions
    table: dict[int, dict[str, Measured]] = {}
    for count in given.samples:
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            table[count] = stages(Path(name), count, dimensions, given.clusters)
        show(table)
    if given.json:
        plain = {n: {k: vars(v) for k, v in found.items()} for n, found in table.items()}
        given.json.write_text(json.dumps(plain, indent=2))


if __name__ == "__main__":
    main()
