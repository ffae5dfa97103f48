"""What a change costs: the same commands in two checkouts of ig4, taking turns.

    python benchmarks/bench_trees.py OTHER [--rounds 3] [--only NAME] [--samples 100000]

OTHER is a checkout of ig4, for instance of the commit before (`git worktree add ../before COMMIT`).
Each command runs in both on the same data; the least time of all rounds counts, of the wall clock
and of the processor, start-up included. Photographs come from the data folder, else they are drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from llm_server.client import LlmServer  # noqa: E402 - found by the line above

SHARED = Path(os.environ.get("IG4_SHARED", ROOT.parent / "shared"))


@dataclass(frozen=True, slots=True)
class Case:
    """A command that is timed, after others that prepare the database; `{…}` are data sets."""

    name: str
    command: str
    before: Sequence[str] = ()


CASES = (
    Case("ingest LLaVA records without images", "ingest {llava}"),
    Case("ingest rows of Parquet", "ingest {parquet}"),
    Case("ingest photographs", "ingest {photos}"),
    Case("score length", "score --scorers length", ["ingest {llava}"]),
    Case("score clip", "score --scorers clip -o clip.model=ig4-tiny", ["ingest {photos}"]),
    Case(
        "score clip, short answers",
        "score --scorers clip -o clip.model=ig4-tiny",
        ["ingest {answers}"],
    ),
    Case("score gpt", "score --scorers gpt --concurrency 64", ["ingest {captions}"]),
    Case(
        "select",
        "select --selector topk --size 1000",
        ["ingest {llava}", "score --scorers length"],
    ),
    Case(
        "run with nothing to do",
        "run {llava} --scorers length --size 100 --selector topk --out out",
        ["run {llava} --scorers length --size 100 --selector topk --out out"],
    ),
    Case(
        "export 1,000 photographs",
        "export out --images copy",
        ["ingest {photos}", "score --scorers length", "select --selector topk --size 1000"],
    ),
)


def main() -> None:
    given = arguments()
    trees = {"before": given.other.resolve(), "now": ROOT}
    with tempfile.TemporaryDirectory(prefix="ig4-bench-") as name, LlmServer() as server:
        os.environ |= {"OPENAI_BASE_URL": server.openai_url, "OPENAI_API_KEY": "none"}
        data = make_data(Path(name) / "data", given.samples)
        print(f"{'':38}{'before':>9}{'now':>9}   now/before (processor)")
        for case in CASES:
            if given.only in case.name:
                show(case, measure(case, trees, data, Path(name) / "work", given.rounds))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--samples", type=int, default=100_000, help="records without images")
    given = parser.parse_args()
    if given.other is None:
        print("nothing to compare with: name another checkout")
        raise SystemExit(0)
    return given


def show(case: Case, times: dict[str, tuple[float, float]]) -> None:
    (wall, cpu), (wall_now, cpu_now) = times["before"], times["now"]
    print(
        f"{case.name:38}{wall:8.2f}s{wall_now:8.2f}s   {wall_now / wall:.2f} ({cpu_now / cpu:.2f})",
        flush=True,
    )


def measure(
    case: Case, trees: dict[str, Path], data: dict[str, str], work: Path, rounds: int
) -> dict[str, tuple[float, float]]:
    """Return the least seconds of the wall clock and of the processor, by tree."""
    best = dict.fromkeys(trees, (float("inf"), float("inf")))
    for turn in range(rounds):
        for name, tree in trees.items():
            folder = work / f"{name}-{turn}"
            folder.mkdir(parents=True)
            for command in case.before:
                run(tree, folder, command.format(**data))
            wall, cpu = run(tree, folder, case.command.format(**data))
            best[name] = (min(best[name][0], wall), min(best[name][1], cpu))
            shutil.rmtree(folder)
    return best


def run(tree: Path, folder: Path, command: str) -> tuple[float, float]:
    """Run a command of a tree's ig4; returns seconds of the wall clock and of the processor."""
    environment = {**os.environ, "PYTHONPATH": str(tree / ".dev")}
    words = [sys.executable, "-m", "ig4.cli.main", *command.split(), "-q"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{tree}: {command}: {done.stderr.decode()}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_data(folder: Path, samples: int) -> dict[str, str]:
    """Return the path of each data set by its name."""
    makers: dict[str, Callable[[Path], None]] = {
        "llava": lambda path: write_llava(path / "llava.json", samples),
        "parquet": lambda path: write_parquet(path / "rows.parquet", samples),
        "photos": write_photos,
        "answers": write_answers,
        "captions": write_captions,
    }
    for name, make in makers.items():
        (folder / name).mkdir(parents=True)
        make(folder / name)
    return {name: str(folder / name) for name in makers}


def write_llava(path: Path, count: int) -> None:
    turns = [{"from": "human", "value": ""}, {"from": "gpt", "value": ""}]
    with path.open("w", encoding="utf-8") as file:
        for n in range(count):
            turns[0]["value"] = f"What is in picture number {n}?"
            turns[1]["value"] = f"Picture {n} shows a man with a dog on a lawn by a river."
            file.write("[" if n == 0 else ",\n")
            file.write(json.dumps({"id": f"{n:08d}", "conversations": turns}))
        file.write("]")


def write_parquet(path: Path, count: int) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    numbers = range(count)
    columns = {
        "id": [f"{n:08d}" for n in numbers],
        "question": [f"What is in picture number {n}?" for n in numbers],
        "answer": [f"Picture {n} shows a man with a dog on a lawn by a river." for n in numbers],
    }
    parquet.write_table(pa.table(columns), path)


def write_photos(folder: Path) -> None:
    """Copy real photographs in MiniGPT-4's layout, or draw as many."""
    real = SHARED / "data" / "cc_sbu_align"
    if real.exists():
        shutil.copytree(real, folder, dirs_exist_ok=True)
        return
    (folder / "image").mkdir()
    for n in range(3439):
        draw(folder / "image" / f"{n}.jpg", n)
    rows = [{"image_id": str(n), "caption": f"Colored noise, number {n}."} for n in range(3439)]
    (folder / "filter_cap.json").write_text(json.dumps({"annotations": rows}))


def write_answers(folder: Path) -> None:
    """Write 6,000 questions about 60 images, with answers of a word, of which there are twenty."""
    for n in range(60):
        draw(folder / f"{n}.jpg", n)
    with (folder / "set.jsonl").open("w") as file:
        for n in range(6000):
            row = {"id": n, "image": f"{n % 60}.jpg", "question": "What is it?"}
            file.write(json.dumps({**row, "answer": f"object{n % 20}"}) + "\n")


def write_captions(folder: Path) -> None:
    with (folder / "set.jsonl").open("w") as file:
        for n in range(3000):
            answer = f"Caption {n}: " + "a dog runs over the grass. " * (n % 17 + 1)
            file.write(json.dumps({"id": n, "question": "What is it?", "answer": answer}) + "\n")


def draw(path: Path, seed: int) -> None:
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((224, 224)).save(path, quality=90)


if __name__ == "__main__":
    main()
