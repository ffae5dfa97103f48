"""Makes the cells of the arena: worlds are written and scored, arms select, train and are asked.

Everything is ig4's own: `run`, `score`, `import-scores` and `ablate`, in one folder for each world.
Each step leaves a file that is read where it is there: a killed run goes on.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import endpoints
import picks
import worlds
from arms import HYGIENE, ArmTable
from miniature_modules import commands, instructions, miniature
from tomlfile import toml

import ig4
from ig4.core.host.host import Host

_STEPS = "steps.json"


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the arena is: samples, selected ones, clusters, steps of training, and seeds."""

    samples: int = 3439
    size: int = 200
    clusters: int = 10
    steps: int = 80
    first_seed: int = 0
    world_seed: int = 0
    questions: endpoints.Sizes = field(default_factory=endpoints.Sizes)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of a world, in the work folder of the arena."""

    work: Path
    world: worlds.World

    @property
    def folder(self) -> Path:
        """Where the world's set, database and results are."""
        return self.work / "worlds" / self.world.name

    @property
    def apart(self) -> Path:
        """Where it stands what is spoilt."""
        return self.work / "apart" / self.world.name


def make_world(place: Place, scale: Scale, tables: Sequence[ArmTable]) -> None:
    """Write, score and cluster a world, as far as that is not done."""
    folder = place.folder
    folder.mkdir(parents=True, exist_ok=True)
    miniature.step(
        folder, "set",
        lambda to: worlds.write(to, place.apart, place.world, scale.samples, scale.world_seed),
    )  # fmt: skip
    write_config(place, scale, "full", "score", {})
    further = [name for table in tables for arm in table.arms for name in arm.scorers]
    steps = {
        "ingest": ("ingest", "set/llava.json", "--name", "arena"),
        "run": ("run", "--config", "score.toml"),
        **score_commands(folder, (*HYGIENE, *further), "score.toml"),
        "sound": ("import-scores", str(place.apart / "sound.csv"), "--as", worlds.SOUND,
                  "--column", worlds.SOUND, "--replace"),
    }  # fmt: skip
    do_commands(folder, steps, may_fail=further)


def score_commands(folder: Path, scorers: Sequence[str], config: str) -> dict[str, tuple[str, ...]]:
    """Return the commands that score by those scorers that are installed, by their names."""
    names = {name for kind, name in installed() if kind == "scorer"}
    return {
        name: ("score", "--scorers", name, "--config", config)
        for name in dict.fromkeys(scorers)
        if name in names
    }


def do_commands(
    folder: Path, steps: Mapping[str, Sequence[str]], may_fail: Sequence[str] = ()
) -> None:
    """Run those commands of ig4 that have not ended well in this folder before.

    A step that may fail stops no other; it is tried again by the next run.
    """
    done = done_steps(folder)
    for name, words in steps.items():
        if name in done:
            continue
        try:
            commands.ig4(folder, *words, accepted=(0, 3))
        except SystemExit as ended:
            if name not in may_fail:
                raise
            print(f"{name} is left out: {ended}", flush=True)
            continue
        done.append(name)
        (folder / _STEPS).write_text(json.dumps(done), encoding="utf-8")


def done_steps(folder: Path) -> list[str]:
    """Return the commands that have ended well in a folder."""
    file = folder / _STEPS
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []


def known(folder: Path) -> str:
    """Return all that decides who is skipped, beside settings: an arm may be had one day."""
    return json.dumps([done_steps(folder), installed()])


def installed() -> list[tuple[str, str]]:
    """Return kind and name of all components."""
    return sorted((one.component.kind, one.component.name) for one in Host.discover().components())


def write_config(
    place: Place, scale: Scale, base: str, name: str, ablate: Mapping[str, Any],
    selectors: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """Write NAME.toml: what the miniature's says, of this world and base model."""
    settings = tomllib.loads(commands.settings("", scale.size, scale.clusters))
    settings["dataset"] = {"path": "set/llava.json", "name": "arena"}
    settings["run"]["seed"] = scale.first_seed
    settings["scorers"]["clip"]["model"] = "local-dir:../../models/clip"
    settings["scorers"]["reward"]["model"] = "../../models/reward"
    settings["trainers"]["hf"]["model"] = f"../../models/{base}"
    settings["embedders"] = {
        "clip-answer": {"use": "clip", "reads": "answer", **settings["scorers"]["clip"]}
    }
    if ("embedder", "text") in installed():
        settings["run"]["spaces"] = ["text"]  # near-duplicates are alike in texts, too
    settings["ablate"] = {"benchmarks": ["exam"], "batch_size": 50, "steps": scale.steps} | dict(
        ablate
    )
    exam = {"use": "vqa", "questions": f"../../questions/{endpoints.FILE}", "rule": "exact"}
    settings["benchmarks"] = {"exam": exam}
    if selectors:
        settings["selectors"] = dict(selectors)
    path = place.folder / f"{name}.toml"
    path.write_text(toml(settings), encoding="utf-8")
    return path


def table_settings(table: ArmTable, arms: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tables [ablate] and [selectors] of those arms of a table that are named.

    Arms that ig4 has itself are not defined anew.
    """
    known = [one for one in table.arms if one.name in arms]
    own = {one.name: dict(one.arm) for one in known if one.name not in ("all", "random")}
    selectors = {name: dict(options) for one in known for name, options in one.selectors.items()}
    ablate = {"compare": [one.name for one in known], "seeds": table.seeds, "arms": own}
    return ablate, selectors


def choose(place: Place, scale: Scale, table: ArmTable) -> dict[str, Any]:
    """Select with all arms of a table, and return what is in their selections, and who is skipped.

    The result stands in `picks-TABLE.json`.
    """
    names = [one.name for one in table.arms]
    ablate, selectors = table_settings(table, names)
    config = write_config(place, scale, "full", f"picks-{table.name}", ablate, selectors)

    def make() -> dict[str, Any]:
        print(f"== {place.world.name}: select for the table {table.name}", flush=True)
        seeds = range(scale.first_seed, scale.first_seed + table.seeds)
        return summary(picks.pick(place.folder, config, seeds), worlds.read_truth(place.apart))

    path = place.folder / f"picks-{table.name}.json"
    return kept(path, config, make, salt=known(place.folder))


def summary(
    found: picks.Picks,
    truth: worlds.Truth,
    ways: Sequence[str] = instructions.KINDS,
    questions: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what the selections of each arm hold, mean over seeds, and the reasons of others.

    `ways` of spoiling and kinds of `questions` are counted.
    """
    arms: dict[str, Any] = {}
    for name in dict.fromkeys(one.arm for one in found.found):
        own = [one for one in found.found if one.arm == name]
        arms[name] = {
            "samples": fmean(len(one.ids) for one in own),
            "spoilt": fmean(truth.spoilt_share(one.ids) for one in own),
            "variation": fmean(truth.variation(one.ids) for one in own),
            "seconds": fmean(one.seconds for one in own),
            "draws": len({tuple(sorted(one.ids)) for one in own}),
            "kinds": {
                how: fmean(sum(truth.spoilt[x] == how for x in one.ids) for one in own)
                for how in ways
            },
            "questions": {
                kind: fmean(sum(truth.kinds[x] == kind for x in one.ids) for one in own)
                for kind in questions
            },
        }
    return {"arms": arms, "skipped": found.skipped}


def ablate(
    place: Place, scale: Scale, base: str, table: ArmTable, jobs: int, skipped: Sequence[str]
) -> dict[str, Any]:
    """Train and ask all arms of a table but the skipped ones; returns the endpoints of each cell.

    The result stands in `results-BASE-TABLE.json`.
    """
    name = f"{base}-{table.name}"
    arms = [one.name for one in table.arms if one.name not in skipped]
    config = write_config(place, scale, base, name, *table_settings(table, arms))

    def make() -> dict[str, Any]:
        print(
            f"== {place.world.name}: {len(arms)} arms x {table.seeds} seeds on {base}", flush=True
        )
        told, seconds = picks.timed(
            lambda: commands.ig4(
                place.folder, "ablate", "--config", config.name, "--jobs", str(jobs), "--json",
                accepted=(0, 3),
            )
        )  # fmt: skip
        found = endpoints_of(place, int(json.loads(told)["ablation"]))
        return found | {"seconds": round(seconds, 1)}

    return kept(place.folder / f"results-{name}.json", config, make)


def endpoints_of(place: Place, number: int) -> dict[str, Any]:
    """Return the endpoints of all cells of an ablation, from the answers in the database."""
    exam = endpoints.read(place.work / "questions")
    database = place.folder / "ig4.db"
    rows = ig4.query(
        "SELECT arm, seed, status, error, training_id FROM ablation_cells "
        f"WHERE ablation_id = {number} ORDER BY arm, seed",
        db=database,
    )
    cells, failed = [], {}
    measured: dict[int, dict[str, float]] = {}
    for row in rows:
        if row["status"] != "done":
            failed[f"{row['arm']}, seed {row['seed']}"] = row["error"] or row["status"]
            continue
        training = row["training_id"]
        if training not in measured:
            measured[training] = endpoints.measure(exam, answers_of(database, training))
        cells.append({"arm": row["arm"], "seed": row["seed"], "values": measured[training]})
    return {"cells": cells, "failed": failed}


def answers_of(database: Path, training: int) -> dict[str, str]:
    """Return what a trained model answered, by question."""
    rows = ig4.query(
        "SELECT p.item_id AS id, p.answer AS answer FROM evaluations e "
        "JOIN predictions p ON p.evaluation_id = e.id "
        f"WHERE e.training_id = {training} AND e.status = 'done'",
        db=database,
    )
    return {row["id"]: row["answer"] or "" for row in rows}


def kept(
    path: Path, config: Path, make: Callable[[], dict[str, Any]], salt: str = ""
) -> dict[str, Any]:
    """Return what a file holds, if it was made with this configuration and salt; else make it.

    It is written in one piece, so that half of it never stays.
    """
    settings = hashlib.sha256(config.read_bytes() + salt.encode()).hexdigest()
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found.get("settings") == settings and not found.get("failed"):
            return found
    found = make() | {"settings": settings}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    partial.rename(path)
    return found


def told_scale(scale: Scale) -> dict[str, Any]:
    """Return the scale as JSON."""
    return asdict(scale)
