"""What it costs to decode images in processes with limits instead of threads.

    python benchmarks/bench_decode.py [DATASET ...] [--limit 600] [--rounds 3] [--model ig4-tiny]

In one run, on the same images, the ways taking turns and the best of `--rounds` counting:

- reading: decoding alone, in threads; in ig4's processes, whose pixels come through a pipe; and in
  processes whose pixels come through shared memory, which ig4 has not;
- scoring: `ig4 score --scorers clip` as a whole, with images in threads and in processes.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

from PIL import Image

from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.files.images.decode import ISOLATE, decode
from ig4.core.files.images.decoding import picture
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store

SHARED = Path(os.environ.get("IG4_SHARED", Path(__file__).resolve().parents[2] / "shared"))
SETS = ("photos-fsac", "photos-documerica", "daquar", "cc_sbu_align")
WORKERS = min(8, os.cpu_count() or 1)
SLOT = 1 << 26  # bytes of shared memory for the pixels of one image


def main() -> None:
    given = arguments()
    print(f"{WORKERS} at a time; images a second, and the share of what threads reach")
    for dataset in given.datasets:
        files = sorted(path for path in dataset.rglob("*") if path.suffix in (".jpg", ".png"))
        files = files[:: max(1, len(files) // given.limit)][: given.limit]
        if files:
            contents = [path.read_bytes() for path in files]
            show(f"reading {dataset.name}", contents, reading(contents, given.rounds))
    with tempfile.TemporaryDirectory(prefix="ig4-bench-") as name:
        dataset = given.datasets[0]
        speeds = scoring(dataset, Path(name), given.model, given.rounds)
        print_speeds(f"scoring {dataset.name}, {given.model}", speeds)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = [SHARED / "data" / name for name in SETS]
    parser.add_argument("datasets", nargs="*", type=Path, default=default)
    parser.add_argument("--limit", type=int, default=600, help="images of each data set")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="ig4-tiny")
    given = parser.parse_args()
    given.datasets = [path for path in given.datasets if path.exists()]
    if not given.datasets:
        raise SystemExit("no data set there: name one")
    return given


def reading(contents: Sequence[bytes], rounds: int) -> dict[str, float]:
    """Return images decoded a second, by way."""
    best: dict[str, float] = {}
    with ThreadPoolExecutor(WORKERS) as threads, shared_memory() as through_memory:
        for _ in range(rounds + 1):  # the first starts the processes
            for way, isolated, use in (
                ("threads", "0", decoded),
                ("processes, pipe", "1", decoded),
                ("processes, shared memory", "0", through_memory),
            ):
                os.environ[ISOLATE] = isolated
                began = time.perf_counter()
                pixels = sum(threads.map(use, contents))
                assert pixels > 0
                speed = len(contents) / (time.perf_counter() - began)
                best[way] = max(best.get(way, 0.0), speed)
    return best


def decoded(data: bytes) -> int:
    return decode(io.BytesIO(data)).width


@contextmanager
def shared_memory() -> Iterator[Callable[[bytes], int]]:
    """Yield a function that decodes in a pool of processes, pixels coming in shared memory."""
    slots = [SharedMemory(create=True, size=SLOT) for _ in range(WORKERS)]
    free = list(slots)
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:

        def use(data: bytes) -> int:
            slot = free.pop()
            size = pool.submit(decode_into, data, slot.name).result()
            pixels = Image.frombytes("RGB", size, slot.buf[: 3 * size[0] * size[1]])
            free.append(slot)
            return pixels.width

        yield use
    for slot in slots:
        slot.close()
        slot.unlink()


_open: dict[str, SharedMemory] = {}


def decode_into(data: bytes, name: str) -> tuple[int, int]:
    """Decode an image into a slot; runs in a process of the pool."""
    if name not in _open:
        _open[name] = SharedMemory(name)
    with picture.opened(io.BytesIO(data)) as image:
        pixels = picture.rgb(image)
    _open[name].buf[: 3 * pixels.width * pixels.height] = pixels.tobytes()
    return pixels.size


def scoring(dataset: Path, folder: Path, model: str, rounds: int) -> dict[str, float]:
    """Return samples scored a second by CLIP, by way; each time on a new database."""
    best: dict[str, float] = {}
    for turn in range(rounds):
        for way, isolated in (("threads", "0"), ("processes, pipe", "1")):
            os.environ[ISOLATE] = isolated
            with Store.open(folder / f"{turn}-{isolated}.db") as store:
                session = Session(store, Host.discover(), [])
                done: Any = ingest(session, DatasetSource(dataset))
                began = time.perf_counter()
                choice = Choice("scorer", "clip", {"model": model})
                score(session, done.dataset, ScoreRequest([choice]))
                speed = done.samples / (time.perf_counter() - began)
                best[way] = max(best.get(way, 0.0), speed)
    return best


def show(title: str, contents: Sequence[bytes], speeds: dict[str, float]) -> None:
    sizes = [Image.open(io.BytesIO(one)).size for one in contents]
    mean = sum(width * height for width, height in sizes) / len(sizes) / 1e6
    print_speeds(f"{title}: {len(contents)} images of {mean:.2f} megapixels", speeds)


def print_speeds(title: str, speeds: dict[str, float]) -> None:
    print(title)
    for way, speed in speeds.items():
        print(f"  {way:26}{speed:9.1f}   {speed / speeds['threads']:.2f}")


if __name__ == "__main__":
    main()
