"""What recipes select of a mixture of real photographs, two in five of its samples spoilt.

    python examples/arena/photographs.py            # needs the project's shared data folder
    python examples/arena/photographs.py --readme   # and put the table into README.md

3,439 captions (cc_sbu_align) and 12,468 short questions about rooms (DAQUAR). Nothing is trained.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import arms
import cells
import pages
import picks
import worlds
from miniature_modules import instructions, miniature_report
from tomlfile import toml

SHARE = 0.4
SIZE = 600
SEEDS = 3
SHARED = Path(os.environ.get("IG4_SHARED", Path(__file__).resolve().parents[3] / "shared"))
WAYS = ("mismatched", "truncated", "repeated")
KINDS = ("caption", "how many", "color", "other question")
CAPTION = "Describe this image in detail."
_SHORTEST_CUT = 4  # characters of an answer of which something can be cut off


@dataclass(frozen=True, slots=True)
class Photograph:
    """A sample: its kind, its picture, and what is asked and answered."""

    name: str
    kind: str
    image: str
    instruction: str
    answer: str


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--work", type=Path, default=Path("build/photographs"))
    options.add_argument("--readme", action="store_true", help="put the table into README.md")
    chosen = options.parse_args()
    if not (SHARED / "data" / "daquar").is_dir():
        print(f"there are no photographs in {SHARED / 'data'}: nothing to do (IG4_SHARED names it)")
        return
    began = time.perf_counter()
    text = run(chosen.work.absolute(), read(SHARED / "data"))
    print(text)
    print(f"\n{time.perf_counter() - began:.0f} s; everything is in {chosen.work}")
    if chosen.readme:
        pages.put_between(pages.README, "photographs", text)


def read(data: Path) -> list[Photograph]:
    """Return captions, then questions, in the order of their files."""
    captions = json.loads((data / "cc_sbu_align" / "filter_cap.json").read_text("utf-8"))
    found = [
        Photograph(
            f"cc-{row['image_id']}", "caption", f"cc_sbu_align/image/{row['image_id']}.jpg",
            CAPTION, row["caption"],
        )
        for row in captions["annotations"]
    ]  # fmt: skip
    for line in (data / "daquar" / "questions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        asked = f"{row['question'].rstrip('? ')}?"
        found.append(
            Photograph(f"daquar-{row['id']}", kind_of(asked), f"daquar/{row['image']}", asked,
                       row["answer"])
        )  # fmt: skip
    return found


def kind_of(question: str) -> str:
    """Return what a question asks for."""
    words = question.lower().split()
    if words[:2] == ["how", "many"]:
        return "how many"
    return "color" if words[1:2] in (["color"], ["colour"], ["colors"]) else "other question"


def spoil(
    samples: Sequence[Photograph], rng: random.Random, share: float = SHARE
) -> tuple[list[str], dict[str, str | None]]:
    """Return all answers, a share of them spoilt, and how by name; None is sound.

    An answer that is too short to be cut off is spoilt in another way.
    """
    ways: list[str | None] = [WAYS[n % len(WAYS)] for n in range(round(share * len(samples)))]
    ways += [None] * (len(samples) - len(ways))
    rng.shuffle(ways)
    by_kind: dict[str, list[Photograph]] = {}
    for one in samples:
        by_kind.setdefault(one.kind, []).append(one)
    answers, key = [], {}
    for one, planned in zip(samples, ways, strict=True):
        short = planned == "truncated" and len(one.answer) < _SHORTEST_CUT
        way = rng.choice(("mismatched", "repeated")) if short else planned
        answers.append(_spoilt(one, way, by_kind[one.kind], rng))
        key[one.name] = way
    return answers, key


def _spoilt(
    one: Photograph, way: str | None, others: Sequence[Photograph], rng: random.Random
) -> str:
    if way == "mismatched":
        wrong = [x.answer for x in rng.sample(others, min(50, len(others)))
                 if x.image != one.image and x.answer != one.answer]  # fmt: skip
        return wrong[0] if wrong else "nothing"
    if way == "truncated":
        return instructions.cut_off(one.answer, rng)
    return " ".join([one.answer] * rng.randint(3, 4)) if way == "repeated" else one.answer


def run(work: Path, samples: Sequence[Photograph]) -> str:
    """Write, score, select; return the table."""
    work.mkdir(parents=True, exist_ok=True)
    answers, key = spoil(samples, random.Random(0))
    _write(work, samples, answers, key)
    settings = _settings()
    (work / "score.toml").write_text(toml(settings), encoding="utf-8")
    steps = {
        "run": ("run", "--config", "score.toml"),
        **cells.score_commands(work, arms.HYGIENE, "score.toml"),
        "sound": ("import-scores", "sound.csv", "--as", worlds.SOUND, "--column", worlds.SOUND,
                  "--replace"),
    }  # fmt: skip
    cells.do_commands(work, steps)
    table = arms.ArmTable("photographs", _arms(), SEEDS)
    ablate, selectors = cells.table_settings(table, [one.name for one in table.arms])
    config = work / "picks.toml"
    config.write_text(toml(settings | {"ablate": ablate, "selectors": selectors}), encoding="utf-8")
    truth = worlds.Truth(key, {one.name: one.kind for one in samples})

    def make() -> dict[str, Any]:
        return cells.summary(picks.pick(work, config, range(SEEDS)), truth, WAYS, KINDS)

    found = cells.kept(work / "picks.json", config, make, salt=cells.known(work))
    return told(found, table, truth)


def _write(
    work: Path,
    samples: Sequence[Photograph],
    answers: Sequence[str],
    key: Mapping[str, str | None],
) -> None:
    rows = [
        {"id": one.name, "image": one.image, "instruction": one.instruction, "answer": answer}
        for one, answer in zip(samples, answers, strict=True)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (work / "set.jsonl").write_text(text, encoding="utf-8")
    sound = "".join(f"{name},100\n" for name, way in key.items() if way is None)
    (work / "sound.csv").write_text(f"id,{worlds.SOUND}\n{sound}", encoding="utf-8")


def _settings() -> dict[str, Any]:
    return {
        "dataset": {
            "path": "set.jsonl", "name": "photographs", "image_root": str(SHARED / "data"),
        },
        "run": {"scorers": ["clip", "length"], "seed": 0},
        "scorers": {"clip": {"model": "ig4-tiny", "precision": "fp32", "device": "cpu"}},
        "cluster": {"clusterer": "spectral", "k": 10},
        "select": {"size": SIZE},
        "export": {"path": "selected/data.jsonl", "images": "none"},
    }  # fmt: skip


def _arms() -> tuple[arms.ArmSetting, ...]:
    """Return the arms of the first table and some methods, with clip and length alone."""
    wanted = {"topk", "longest", "hygiene", "middle", "mig", "metaclip"}
    known = [one for one in (*arms.MAIN, *arms.METHODS) if one is not arms.RANDOM]
    chosen = [arms.RANDOM, *(one for one in known if one in arms.MAIN or one.name in wanted)]
    return tuple(_without_reward(one) for one in chosen)


def _without_reward(one: arms.ArmSetting) -> arms.ArmSetting:
    if "scorers" not in one.arm:
        return one
    scorers = [name for name in one.arm["scorers"] if name != "reward"]
    told = one.told.replace("clip, length and reward", "clip and length")
    return arms.ArmSetting(one.name, told, {**one.arm, "scorers": scorers}, one.selectors)


def told(found: Mapping[str, Any], table: arms.ArmTable, truth: worlds.Truth) -> str:
    """Return what the selections keep, as a table in Markdown."""
    total = len(truth.kinds)
    bad = sum(way is not None for way in truth.spoilt.values())
    rows = []
    for one in table.arms:
        held = found["arms"].get(one.name)
        if held is None:
            continue
        selects = one.told.removesuffix(", for as many steps")  # nothing is trained here
        rows.append(
            [f"`{one.name}`", selects, f"{held['samples']:,.0f}", f"{100 * held['spoilt']:.1f} %",
             *(f"{held['kinds'][way]:.0f}" for way in WAYS),
             *(f"{held['questions'][kind]:.0f}" for kind in KINDS),
             f"{held['variation']:.2f}", f"{held['seconds']:.1f}"]
        )  # fmt: skip
    head = ["arm", "selects", "samples", "spoilt", *WAYS, *KINDS, "variation", "seconds"]
    text = (
        f"{total:,} samples, {bad:,} of them spoilt; {SIZE} selected by each arm, mean of {SEEDS} "
        f"seeds.\n\n{miniature_report.table(head, rows)}"
    )
    skipped = "\n".join(f"- `{name}`: {why}" for name, why in found["skipped"].items())
    return f"{text}\n\nSkipped:\n\n{skipped}" if skipped else text


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
