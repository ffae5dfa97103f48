"""What ig4 does of the miniature: its configuration, and the commands as one would type them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import questions
import world

ARMS = ("base", "all", "random", "ig4", "no-clusters", "single", "clusterers:kmeans")
RIVALS = ("all", "random")
"""Whose answers are judged beside those of the selection."""

_CONFIG = """\
[dataset]
path = "set/llava.json"
name = "miniature"

[run]
scorers = ["clip", "length", "reward"]
seed = 0

[scorers.clip]
model = "local-dir:clip"
precision = "fp32"
device = "cpu"

[scorers.reward]
model = "./reward"
precision = "fp32"
device = "cpu"

[cluster]
clusterer = "spectral"
k = {clusters}

[select]
size = {size}

[export]
path = "selected/llava.json"

[train]
trainer = "hf"

[trainers.hf]
model = "./base"
trains = "full"
learning_rate = {rate}
batch_size = 8
micro_batch_size = 8
precision = "fp32"
device = "cpu"
workers = 0
save_every = 1000

[ablate]
benchmarks = ["what", "whether", "describe"]
batch_size = 50
factors = {{ describe = 10 }}  # as the paper prints CIDEr: a percentage-like number

[benchmarks.what]
use = "vqa"
questions = "{split}/what.jsonl"
rule = "exact"

[benchmarks.whether]
use = "vqa"
questions = "{split}/whether.jsonl"
rule = "exact"

[benchmarks.describe]
use = "caption"
questions = "{split}/describe.jsonl"
prompt = "{describe}"
"""

LEARNING_RATE = 1e-3
"""Chosen, with the number of steps, on development questions for the arm `all`."""


def configure(work: Path, split: world.Split, size: int, clusters: int) -> None:
    """Write ig4.toml; the weights of the scorers are ig4's own: the paper's."""
    (work / "ig4.toml").write_text(settings(split, size, clusters), encoding="utf-8")


def settings(split: str, size: int, clusters: int) -> str:
    """Return what ig4.toml says."""
    return _CONFIG.format(
        split=split, size=size, clusters=clusters, rate=LEARNING_RATE, describe=world.DESCRIBE[0]
    )


def select(work: Path) -> None:
    """Score, cluster and select; what is known already is not computed again."""
    ig4(work, "ingest", "set/llava.json", "--name", "miniature")
    ig4(work, "run")


def ablate(work: Path, split: str, seeds: int, steps: int, jobs: int) -> None:
    """Train and evaluate all arms, each with as many steps, and keep the tables."""
    output = ig4(
        work, "ablate", "--arms", ",".join(ARMS), "--seeds", str(seeds), "--steps", str(steps),
        "--jobs", str(jobs), "--out", f"tables-{split}.md", "--json",
    )  # fmt: skip
    (work / f"tables-{split}.json").write_text(output, encoding="utf-8")


def ablation(work: Path, split: str) -> int:
    """Return the number of the ablation on a split's questions; there may be one on others."""
    output = json.loads((work / f"tables-{split}.json").read_text(encoding="utf-8"))
    return int(output["ablation"])


def judge(work: Path, split: world.Split, seeds: int, count: int) -> None:
    """Judge what the selection's models answered beside what the rivals' did, seed by seed."""
    folder = work / f"judged-{split}"
    folder.mkdir(exist_ok=True)
    chosen = _chosen(work / split, count)
    rows = [{**row, "id": f"{seed}/{row['id']}"} for seed in range(seeds) for row in chosen]
    _lines(folder / "questions.jsonl", rows)
    truths = [{"id": row["id"], "caption": _truth(row)} for row in rows]
    _lines(folder / "references.jsonl", truths)
    for arm in ("ig4", *RIVALS):
        _lines(folder / f"{arm}.jsonl", _answers(work, split, arm, {row["id"] for row in rows}))
    for rival in RIVALS:
        output = ig4(
            work, "judge", f"judged-{split}/ig4.jsonl", f"judged-{split}/{rival}.jsonl",
            "--questions", f"judged-{split}/questions.jsonl",
            "--contexts", f"judged-{split}/references.jsonl", "--judge", "reference",
            "--labels", f"ig4,{rival}", "--plot", f"judged-{split}/figure1-{rival}.svg", "--json",
        )  # fmt: skip
        (folder / f"{rival}.json").write_text(output, encoding="utf-8")


def _chosen(folder: Path, count: int) -> list[dict[str, Any]]:
    """Return the first questions of each kind, as many of each."""
    each = count // len(questions.BENCHMARKS)
    return [row for name in questions.BENCHMARKS for row in questions.read(folder, name)[:each]]


def _truth(row: dict[str, Any]) -> str:
    return str(row["captions"][0] if "captions" in row else row["answer"])


def _answers(work: Path, split: str, arm: str, wanted: set[str]) -> list[dict[str, str]]:
    """Return what an arm's models answered to a split's questions, from the score database."""
    rows = query_rows(
        work,
        "SELECT c.seed || '/' || p.item_id AS id, p.answer AS answer FROM ablation_cells c "
        "JOIN evaluations e ON e.training_id = c.training_id "
        "JOIN predictions p ON p.evaluation_id = e.id "
        f"WHERE c.ablation_id = {ablation(work, split)} "
        f"AND c.arm = '{arm}' AND e.status = 'done'",
    )
    found = {row["id"]: row["answer"] or "" for row in rows if row["id"] in wanted}
    return [{"id": name, "answer": answer} for name, answer in found.items()]


def query_rows(work: Path, sql: str) -> list[dict[str, Any]]:
    """Return the rows that a question to the score database has."""
    rows: list[dict[str, Any]] = json.loads(ig4(work, "query", "--json", sql, quiet=True))
    return rows


def ig4(work: Path, *words: str, quiet: bool = False, accepted: Sequence[int] = (0,)) -> str:
    """Run a command of ig4 in the work folder, on one core a process, and return what it says.

    Any exit code but the `accepted` ones ends everything.
    """
    if not quiet:
        print(f"$ ig4 {shlex.join(words)}", flush=True)
    began = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment.pop("IG4_DB", None)
    done = subprocess.run(
        [sys.executable, "-m", "ig4", *words], cwd=work, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None, check=False,
    )  # fmt: skip
    if done.returncode not in accepted:
        raise SystemExit(f"ig4 {words[0]} ended with {done.returncode}: {done.stderr or ''}")
    if not quiet:
        log(work, {"step": f"ig4 {words[0]}", "seconds": round(time.perf_counter() - began, 1)})
        if "--json" not in words:
            print(done.stdout, flush=True)
    return done.stdout


def log(work: Path, spent: dict[str, Any]) -> None:
    """Write down how long a step took."""
    with (work / "times.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(spent) + "\n")


def _lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
