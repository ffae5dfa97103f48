"""The arena: which way to select helps, in small worlds where the truth is known.

    make arena                                        # or, what it does:
    python examples/arena/arena.py                    # more than half an hour on two cores
    python examples/arena/arena.py --quick            # two minutes: does all of it work?
    python examples/arena/arena.py --confirm          # fresh worlds and seeds, a third base model
    python examples/arena/arena.py --readme           # and put the figures into README.md

PLAN.md was written before the figures. Each step leaves its outcome in the work folder: stopped at
any moment, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import arms
import cells
import endpoints
import pages
import worlds
from miniature_modules import miniature, world


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run: `bases` are the base models, with the sizes and the seed of each."""

    scale: cells.Scale
    worlds: Sequence[worlds.World]
    tables: Sequence[arms.ArmTable]
    bases: Mapping[str, tuple[Mapping[str, int], int]]
    split: world.Split = "test"
    first_picture: int = 200
    pool: int | None = None
    sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


FULL = Plan(
    cells.Scale(), worlds.WORLDS, arms.tables(),
    {"full": ({}, 0), "second": ({"steps": 500}, 1)},
)  # fmt: skip

CONFIRM = replace(
    FULL,
    scale=cells.Scale(first_seed=100, world_seed=100),
    tables=arms.tables()[:1],
    bases={"third": ({"steps": 600}, 2)},
)

_FEW = ("random", "topk", "hygiene", "facility-location", "density")
QUICK = Plan(
    cells.Scale(
        samples=120, size=12, clusters=3, steps=3,
        questions=endpoints.Sizes(color=4, shape=4, whether=4, description=4),
    ),
    tuple(one for one in worlds.WORLDS if one.name == "mixed-70"),
    (
        arms.ArmTable("main", arms.MAIN, 2),
        arms.ArmTable("methods", tuple(one for one in arms.METHODS if one.name in _FEW), 1),
        arms.tables(fewest=1, budgets=(6,))[-1],
    ),
    {"full": (dict(miniature.QUICK.sizes["base"]), 0)},
    pool=48,
    sizes=miniature.QUICK.sizes,
)  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--work", type=Path, help="folder for all outcomes")
    options.add_argument("--quick", action="store_true", help="two minutes, without meaning")
    options.add_argument("--confirm", action="store_true", help="fresh worlds, seeds and base")
    options.add_argument("--worlds", help="some of the worlds: mixed-40,mixed-70")
    options.add_argument("--tables", help="some of the tables: main,methods,budgets")
    options.add_argument("--arms", help="some of the arms, by name; random is always among them")
    options.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options.add_argument("--again", action="store_true", help="forget what is done already")
    options.add_argument("--readme", action="store_true", help="put the figures into README.md")
    chosen = options.parse_args()
    kind = "-quick" if chosen.quick else "-confirm" if chosen.confirm else ""
    work: Path = (chosen.work or Path("build") / f"arena{kind}").absolute()
    if chosen.readme and chosen.quick:
        options.error("--quick has figures without meaning: they do not belong into README.md")
    if chosen.again:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    plan = QUICK if chosen.quick else CONFIRM if chosen.confirm else FULL
    plan = replace(
        plan,
        worlds=_named(options, plan.worlds, chosen.worlds),
        tables=_named(options, plan.tables, chosen.tables),
    )
    if chosen.arms:
        plan = replace(plan, tables=_with_arms(options, plan.tables, chosen.arms.split(",")))
    began = time.perf_counter()
    results = run(work, plan, chosen.jobs)
    seconds = time.perf_counter() - began
    print(pages.write(work, results))
    if chosen.readme:
        pages.write_readme(results, "confirmation" if chosen.confirm else "arena")
    print(f"\n{seconds:.0f} s; everything is in {work}")


def _named(options: argparse.ArgumentParser, known: Sequence[Any], names: str | None) -> list[Any]:
    if names is None:
        return list(known)
    wanted = names.split(",")
    if unknown := set(wanted) - {one.name for one in known}:
        options.error(f"there is no {', '.join(sorted(unknown))}")
    return [one for one in known if one.name in wanted]


def _with_arms(
    options: argparse.ArgumentParser, tables: Sequence[arms.ArmTable], names: Sequence[str]
) -> list[arms.ArmTable]:
    """Return the tables with those arms alone, at all of their budgets, and what they rival."""
    wanted = {arms.RIVAL, *names}
    known = {arms.usual_name(one.name) for table in tables for one in table.arms}
    if unknown := wanted - known - {arms.RIVAL}:
        options.error(f"there is no arm {', '.join(sorted(unknown))} in these tables")
    left = [
        replace(table, arms=tuple(one for one in table.arms if arms.usual_name(one.name) in wanted))
        for table in tables
    ]
    return [table for table in left if len(table.arms) > 1]


def run(work: Path, plan: Plan, jobs: int) -> pages.Results:
    """Do all steps that are not done, and return what came out."""
    make_models(work, plan)
    miniature.step(
        work, "questions",
        lambda to: endpoints.write(to, plan.split, plan.first_picture, plan.scale.questions),
    )  # fmt: skip
    results = pages.Results(
        plan.worlds, plan.tables, tuple(plan.bases), cells.told_scale(plan.scale)
    )
    for one in plan.worlds:
        place = cells.Place(work, one)
        tables = [table for table in plan.tables if table.in_world(one.name)]
        cells.make_world(place, plan.scale, tables)
        for table in tables:
            picked = cells.choose(place, plan.scale, table)
            results.picks[one.name, table.name] = picked
            for base in plan.bases:
                found = cells.ablate(place, plan.scale, base, table, jobs, list(picked["skipped"]))
                results.add(one.name, table.name, base, found)
    write_results(work, results)
    return results


def make_models(work: Path, plan: Plan) -> None:
    """Make the base models, CLIP and the reward model, unless they are there.

    The tokenizer of all base models is the same, and so the reward model is, too.
    """
    models = work / "models"
    models.mkdir(exist_ok=True)
    scenes = world.scenes("pool", limit=plan.pool)
    for name, (sizes, seed) in plan.bases.items():
        miniature.step(models, name, _base_maker(scenes, sizes, seed))
    quick = replace(miniature.Plan(), pool=plan.pool, sizes=dict(plan.sizes))
    miniature.step(models, "clip", lambda to: miniature.make_clip(to, quick))
    first = next(iter(plan.bases))
    miniature.step(
        models, "reward", lambda to: miniature.make_reward(to, models, quick, words=first)
    )


def _base_maker(
    scenes: Sequence[world.Scene], sizes: Mapping[str, int], seed: int
) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        import base

        base.make(folder, scenes, base.Sizes(**sizes), seed)

    return make


def write_results(work: Path, results: pages.Results) -> None:
    """Keep everything that the report is made of in one file."""
    text = json.dumps(results.to_dict(), indent=1) + "\n"
    (work / "results.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
