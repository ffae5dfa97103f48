"""The paper in miniature: the whole method on two processor cores.

    make miniature                                        # or, what it does:
    python examples/miniature/miniature.py                # a quarter of an hour
    python examples/miniature/miniature.py --quick        # a minute: does all of it work?
    python examples/miniature/miniature.py --development  # on the questions to tune on

Each step leaves its outcome in the work folder and is skipped when that is there: stopped at any
moment, the same command goes on. README.md, beside this file, says what all of it means.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import commands
import instructions
import questions
import report
import world


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; `--quick` has less of all."""

    samples: int = 3439
    size: int = 200
    clusters: int = 10
    seeds: int = 5
    steps: int = 80
    pictures: int = 200
    captions: int = 100
    judged: int = 60
    pool: int | None = None
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)


QUICK = Plan(
    samples=60, size=12, clusters=3, seeds=1, steps=3, pictures=6, captions=4, judged=6, pool=48,
    sizes={
        "base": {"steps": 4, "seeing": 4, "batch": 4, "width": 32, "layers": 1, "vision_layers": 1},
        "clip": {"steps": 4, "batch": 8, "width": 48, "layers": 1},
        "reward": {"steps": 4, "batch": 4, "width": 32, "layers": 1},
    },
)  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--work", type=Path, help="folder for all outcomes")
    options.add_argument("--quick", action="store_true", help="a minute, numbers without meaning")
    options.add_argument("--development", action="store_true", help="ask the questions to tune on")
    options.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options.add_argument("--again", action="store_true", help="forget what is done already")
    chosen = options.parse_args()
    name = "miniature-quick" if chosen.quick else "miniature"
    work: Path = (chosen.work or Path("build") / name).absolute()
    if chosen.again:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    run(work, QUICK if chosen.quick else Plan(), chosen.jobs,
        "development" if chosen.development else "test")  # fmt: skip
    print(f"\n{time.perf_counter() - began:.0f} s; everything is in {work}")


def run(work: Path, plan: Plan, jobs: int, split: world.Split) -> None:
    """Do all steps that are not done, and print the report."""
    step(work, "set", lambda to: make_set(to, work, plan))
    step(work, "base", lambda to: make_base(to, plan))
    step(work, "clip", lambda to: make_clip(to, plan))
    step(work, "reward", lambda to: make_reward(to, work, plan))
    step(work, split, lambda to: questions.write(to, split, plan.pictures, plan.captions))
    commands.configure(work, split, plan.size, plan.clusters)
    commands.select(work)
    commands.ablate(work, split, plan.seeds, plan.steps, jobs)
    commands.judge(work, split, plan.seeds, plan.judged)
    report.write(work, split)


def step(work: Path, name: str, make: Callable[[Path], None]) -> None:
    """Make what belongs into a folder, unless it is there; half of it never stays under its name.

    The first line that a step prints says what it does, the last how long it took.
    """
    folder = work / name
    if folder.is_dir():
        print(f"== {name}: done before")
        return
    print(f"== {name}", flush=True)
    began, busy = time.perf_counter(), time.process_time()
    partial = work / f"{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    make(partial)
    partial.rename(folder)
    spent = {"step": name, "seconds": round(time.perf_counter() - began, 1),
             "cpu": round(time.process_time() - busy, 1)}  # fmt: skip
    commands.log(work, spent)
    print(f"  {spent['seconds']} s, {spent['cpu']} s of processor time", flush=True)


def make_set(folder: Path, work: Path, plan: Plan) -> None:
    """Write the instruction set, and apart from it what was spoilt."""
    scenes = world.scenes("instruction", limit=plan.samples)
    key = instructions.write(folder, scenes, plan.samples)
    (work / report.KEY).parent.mkdir(exist_ok=True)
    (work / report.KEY).write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    spoilt = sum(kind is not None for kind in key.values())
    print(f"  {len(key):,} samples about {len(scenes):,} pictures, {spoilt:,} of them spoilt")


def make_base(folder: Path, plan: Plan) -> None:
    import base

    base.make(
        folder, world.scenes("pool", limit=plan.pool), base.Sizes(**plan.sizes.get("base", {}))
    )


def make_clip(folder: Path, plan: Plan) -> None:
    import tiny_clip

    sizes = tiny_clip.Sizes(**plan.sizes.get("clip", {}))
    tiny_clip.make(folder, world.scenes("pool", limit=plan.pool), sizes)


def make_reward(folder: Path, work: Path, plan: Plan, words: str = "base") -> None:
    """Train the reward model with the tokenizer of the model in a folder called `words`."""
    import tiny_reward
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(work / words)
    sizes = tiny_reward.Sizes(**plan.sizes.get("reward", {}))
    tiny_reward.make(folder, world.scenes("pool", limit=plan.pool), tokenizer, sizes)


if __name__ == "__main__":
    sys.exit(main())
