"""Rating with a language model: how close to what the service's latency allows, and how safely.

    python benchmarks/bench_calls.py [CAPTIONS.json] [--latency 0.2] [--concurrency 64]

CAPTIONS is a JSON list (also under `annotations`) of {"image_id", "caption"}; without one, 3,439
captions are made up. A server on this machine stands in for the service, in a process of its own.

- smooth: every request takes --latency; the ideal is number / concurrency x latency. Start-up is
  counted apart: from the start of `ig4 score` to the first request that arrives.
- faults: one request in five fails; every sample must end scored.
- killed: `kill -9` at 20 random moments, then to the end; the server counts repeated requests.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from llm_server.client import LlmServer  # noqa: E402 - found by the line above

SHARED = Path(os.environ.get("IG4_SHARED", ROOT.parent / "shared"))
KILLS = 20


def main() -> None:
    given = arguments()
    with tempfile.TemporaryDirectory(prefix="ig4-bench-") as name, LlmServer() as server:
        folder = Path(name)
        os.environ |= {"OPENAI_BASE_URL": server.openai_url, "OPENAI_API_KEY": "none"}
        rows = read(given.captions)
        (folder / "filter_cap.json").write_text(json.dumps({"annotations": rows}))
        print(f"{len(rows)} captions, latency {given.latency} s, {given.concurrency} at a time")
        for measure in (smooth, faults, killed):
            server.reset()
            server.configure(latency=given.latency)
            for file in folder.glob("ig4.db*"):
                file.unlink()
            run(folder, "ingest", "filter_cap.json", "-q").wait()
            measure(folder, server, given)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = SHARED / "data" / "instructiongpt4" / "full_score_data.json"
    parser.add_argument("captions", nargs="?", type=Path, default=default)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--concurrency", type=int, default=64)
    return parser.parse_args()


def read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        texts = (
            f"Caption {n}: " + "a dog runs over the grass. " * (n % 17 + 1) for n in range(3439)
        )
        return [{"image_id": str(n), "caption": text} for n, text in enumerate(texts)]
    rows = json.loads(path.read_text(encoding="utf-8"))
    rows = rows if isinstance(rows, list) else rows["annotations"]
    return [{"image_id": row["image_id"], "caption": row["caption"]} for row in rows]


def run(folder: Path, *arguments: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "ig4.cli.main", *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def score(folder: Path, given: argparse.Namespace) -> subprocess.Popen[bytes]:
    return run(folder, "score", "--scorers", "gpt", "--concurrency", given.concurrency, "-q")


def scored(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "ig4.db")) as connection, connection:
        (number,) = connection.execute("SELECT count(gpt) FROM scores_wide").fetchone()
    return int(number)


def smooth(folder: Path, server: LlmServer, given: argparse.Namespace) -> None:
    began = time.time()
    score(folder, given).wait()
    wall = time.time() - began
    calls = server.calls()
    start_up = min(call["at"] for call in calls) - began
    ideal = len(calls) / given.concurrency * given.latency
    print(
        f"smooth: {wall - start_up:.2f} s after a start-up of {start_up:.2f} s; ideal {ideal:.2f}: "
        f"{(wall - start_up) / ideal:.3f} times that (goal 1.15); {scored(folder)} scored, "
        f"{server.most} at a time at most, {server.repeats()} repeated"
    )


def faults(folder: Path, server: LlmServer, given: argparse.Namespace) -> None:
    kinds = ["429", "500", "503", "reset", "cut", "broken-json"]
    server.configure(fail_rate=0.2, fail_kinds=kinds)
    began = time.time()
    code = score(folder, given).wait()
    failed = sum(call["outcome"] != "ok" for call in server.calls())
    print(
        f"faults: exit code {code}, {scored(folder)} scored, {failed} of {len(server.calls())} "
        f"requests failed, {time.time() - began:.1f} s"
    )


def killed(folder: Path, server: LlmServer, given: argparse.Namespace) -> None:
    chance = random.Random(7)
    for _ in range(KILLS):
        before = len(server.calls())
        process = score(folder, given)
        while len(server.calls()) == before and process.poll() is None:
            time.sleep(0.02)
        time.sleep(chance.random() * 0.6)
        process.send_signal(signal.SIGKILL)
        process.wait()
    code = score(folder, given).wait()
    calls = server.calls()
    print(
        f"killed: exit code {code}, {scored(folder)} scored, {len(calls)} requests, "
        f"{server.repeats()} repeated; {KILLS} kills x {given.concurrency} on their way = "
        f"{KILLS * given.concurrency} at most"
    )


if __name__ == "__main__":
    main()
