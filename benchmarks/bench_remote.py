"""Read images by address and from tar shards, of a server that fails: are scores equal, how fast?

    python benchmarks/bench_remote.py                  # all images of both data sets
    python benchmarks/bench_remote.py --images 500 --faults 0.2

The images are those of cc_sbu_align and daquar in the project's shared data (IG4_SHARED). The
server is a process of its own on this machine: 5 % of its answers are 500 or 503, or break off.
Each way of reading scores everything with the demonstration's tiny CLIP in a new database, in
turns; what counts is the least of some rounds, in seconds of the processors: on a machine that
others use, those by the clock say little.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from ig4.core.engine.exporting.export import ExportTarget, export
from ig4.core.engine.ingesting.ingest import DatasetSource, ingest
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.files.remote.fetching import COUNTS
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.storage.store import Store

ROOT = Path(__file__).resolve().parent.parent
GOAL = 1.05

SERVER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.file_server import serving
with serving(Path(sys.argv[2]), faults=float(sys.argv[3])) as server:
    print(server.url, flush=True)
    while sys.stdin.read(1):
        pass
    print(dict(server.spoiled), flush=True)
"""


def main() -> None:
    options = parsed()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the model is tiny: reading is what is measured
    with tempfile.TemporaryDirectory(prefix="ig4-bench-") as name:
        folder = Path(name)
        os.environ["IG4_CACHE_DIR"] = str(folder / "cache")
        count = make_data(folder / "data", options.images)
        with session_in(folder / "make") as session:
            dataset = ingest(session, DatasetSource(folder / "data" / "llava.json")).dataset
            target = ExportTarget(folder / "data" / "shards", "webdataset", {"maxcount": 1000})
            export(session, dataset, target)
        shards = len(list((folder / "data" / "shards").glob("*.tar")))
        with server(folder / "data", options.faults) as url:
            pattern = f"shards/shard-{{000000..{shards - 1:06d}}}.tar"
            ways: dict[str, str | Path] = {
                "files": folder / "data" / "llava.json",
                "addresses": f"{url}/llava.json",
                "shards": folder / "data" / "shards",
                "shards at addresses": f"{url}/{pattern}",
            }
            report(folder, ways, count, options.rounds)


class Seconds(NamedTuple):
    """What reading and scoring took by the clock, and what both took of the processors."""

    reading: float
    scoring: float
    busy: float


def report(folder: Path, ways: dict[str, str | Path], count: int, rounds: int) -> None:
    first: dict[str, Any] = {}
    taken: dict[str, list[Seconds]] = {way: [] for way in ways}
    for number in range(rounds + 1):  # in the first one, nothing is in the cache
        for way, source in ways.items():
            before = COUNTS.snapshot()
            found, seconds = one_run(folder / f"{way}-{number}", source)
            first = first or found
            assert found == first, f"{way}: other scores than those of files"
            files, size, _, repeated, _ = (
                now - then for now, then in zip(COUNTS.snapshot(), before, strict=True)
            )
            if number == 0:
                print(f"{way}: {seconds.reading + seconds.scoring:.1f} s with an empty cache; "
                      f"{files:,} files, {size / 1e6:.1f} MB fetched, {repeated:,} requests "
                      "repeated")  # fmt: skip
            else:
                taken[way].append(seconds)
    print(f"\n{len(first):,} scores of {count:,} images are equal in all ways, in all rounds\n")
    print("| | reading | scoring | processor | against files |\n|---|---|---|---|---|")
    least = {way: Seconds(*map(min, zip(*several, strict=True))) for way, several in taken.items()}
    for way, seconds in least.items():
        told = " | ".join(f"{one:.2f} s" for one in seconds)
        print(f"| {way} | {told} | {seconds.busy / least['files'].busy:.3f} |")
    ratio = least["addresses"].busy / least["files"].busy
    print(f"\na warm cache against files, in seconds of the processors: {ratio:.3f} (goal {GOAL})")


def one_run(folder: Path, source: str | Path) -> tuple[dict[Any, Any], Seconds]:
    """Read and score a data set in a new database; return its scores, and what that took."""
    with session_in(folder) as session:
        began, busy = time.perf_counter(), time.process_time()
        dataset = ingest(session, DatasetSource(source, name="set")).dataset
        read = time.perf_counter()
        clip = Choice("scorer", "clip", {"model": "ig4-tiny"})
        score(session, dataset, ScoreRequest(scorers=(clip, Choice("scorer", "length"))))
        seconds = Seconds(read - began, time.perf_counter() - read, time.process_time() - busy)
        with session.store.reading() as connection:
            rows = connection.execute(text(
                "SELECT s.external_id, c.name, x.value, x.error FROM scores x "
                "JOIN samples s ON s.content_id = x.content_id "
                "JOIN components c ON c.id = x.component_id"
            ))  # fmt: skip
            found = {(name, scorer): (value, error) for name, scorer, value, error in rows}
    shutil.rmtree(folder)
    return found, seconds


@contextmanager
def session_in(folder: Path) -> Iterator[Session]:
    folder.mkdir(parents=True)
    with Store.open(str(folder / "ig4.db"), create=True) as store:
        yield Session(store, Host.discover())


@contextmanager
def server(folder: Path, faults: float) -> Iterator[str]:
    command = [sys.executable, "-c", SERVER, str(ROOT), str(folder), str(faults)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip()
        told, _ = running.communicate()
        print(f"faults of the server: {told.strip()}")


def make_data(folder: Path, most: int | None) -> int:
    """Make one LLaVA data set of both: a sample for each image, with its first text."""
    shared = Path(os.environ.get("IG4_SHARED", ROOT.parent / "shared")) / "data"
    records = []
    captions = json.loads((shared / "cc_sbu_align" / "filter_cap.json").read_text("utf-8"))
    for one in captions["annotations"]:
        file = shared / "cc_sbu_align" / "image" / f"{one['image_id']}.jpg"
        records.append((f"cc-{one['image_id']}", file, "Describe it.", one["caption"]))
    seen = set()
    for line in (shared / "daquar" / "questions.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        if one["image"] not in seen:
            seen.add(one["image"])
            file = shared / "daquar" / one["image"]
            records.append((f"daquar-{one['id']}", file, one["question"], one["answer"]))
    records = records[:most] if most is None else records[:: max(1, len(records) // most)][:most]
    (folder / "images").mkdir(parents=True)
    rows = []
    for name, file, question, answer in records:
        shutil.copyfile(file, folder / "images" / f"{name}.jpg")
        turns = [{"from": "human", "value": f"<image>\n{question}"},
                 {"from": "gpt", "value": answer}]  # fmt: skip
        rows.append({"id": name, "image": f"images/{name}.jpg", "conversations": turns})
    (folder / "llava.json").write_text(json.dumps(rows), "utf-8")
    return len(rows)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, help="how many images (all)")
    parser.add_argument("--faults", type=float, default=0.05, help="share of bad answers (0.05)")
    parser.add_argument("--rounds", type=int, default=3, help="with a warm cache (3)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
