"""Time the page about a selection: writing it, its size, and how long a browser takes to open it.

python benchmarks/bench_report.py                    # 360, 3,600, 36,000 and 100,000 samples
python benchmarks/bench_report.py --samples 5000
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from bench_store import write_scores
from PIL import Image

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.reporting.report import write_report
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.select import select
from ig4.core.engine.session import Session
from ig4.core.host.host import Host
from ig4.storage.store import Store

SIZES = (360, 3_600, 36_000, 100_000)
IMAGES = 2_000
MOST_BYTES, MOST_SECONDS = 15e6, 3.0
OPENS = 3


def write_data(folder: Path, count: int) -> Path:
    """Write a data set whose samples share some noisy pictures, as large as photographs pack."""
    import json

    rng = np.random.default_rng(0)
    for n in range(min(IMAGES, count)):
        small = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(small).resize((320, 240)).save(folder / f"{n}.jpg", quality=70)
    words = [f"word{n}" for n in range(2_000)]
    records = []
    for n in range(count):
        answer = f"{n}: " + " ".join(rng.choice(words, 30))
        asked = "<image>\nWhat is shown here?"
        turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
        records.append({"id": f"{n:08d}", "image": f"{n % IMAGES}.jpg", "conversations": turns})
    path = folder / "llava.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def seconds_to_open(path: Path) -> float | None:
    """Return the least seconds from the address to a page that is ready; None without a browser."""
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
        for _ in range(OPENS):
            page = browser.new_context().new_page()
            began = time.perf_counter()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]", state="attached")
            took.append(time.perf_counter() - began)
            page.close()
        browser.close()
    return min(took)


def measure(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store.open(folder / "bench.db") as store:
            session = Session(store, Host.discover(), [])
            dataset = ingest(
                session, DatasetSource(write_data(folder, count), name="bench")
            ).dataset
            write_scores(session, count)
            made = select(session, dataset, SelectionRequest(size=max(10, count * 6 // 100)))
            took = []
            for _ in range(2):  # the first makes the pictures, the second reads them
                began = time.perf_counter()
                result = write_report(
                    session, dataset, made.id, folder / "page.html", overwrite=True
                )
                took.append(time.perf_counter() - began)
        opened = seconds_to_open(folder / "page.html")
    ready = "no browser" if opened is None else f"open in {opened:.2f} s (goal {MOST_SECONDS:g})"
    print(
        f"{count:>8,} samples: {result.bytes / 1e6:5.1f} MB (goal {MOST_BYTES / 1e6:g}), "
        f"{result.shown:,} shown with {result.pictures:,} pictures; written in {took[0]:.1f} s, "
        f"again in {took[1]:.1f} s; {ready}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--samples", type=int, nargs="*", default=SIZES)
    for count in options.parse_args().samples:
        measure(count)


if __name__ == "__main__":
    main()
