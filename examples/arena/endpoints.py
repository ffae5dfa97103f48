"""What the models of the arena are asked, and what their answers are worth.

Color and shape questions are counted apart; a rule that looks at "not" alone scores half of the
yes/no questions; descriptions are measured by the facts they tell, and by whether they end.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from miniature_modules import instructions, world

from ig4.plugins.metrics.captions import cider_d
from ig4.plugins.metrics.matching import exact

FILE = "exam.jsonl"
KINDS = ("color", "shape", "yes or no", "description")
ENDPOINTS = ("mean", "color", "shape", "yes or no", "facts", "ends", "false facts", "cider")
"""The primary one first; the last two are beside, and never decide."""

CUT = 48
"""Words of a description that CIDEr counts."""

_NEGATIONS = frozenset(("not", "no"))
_PLACES = re.compile(
    r"\b(?:at the (?:top|bottom)(?: (?:left|right))?|on the (?:left|right)|in the center)\b"
)
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many questions of each kind; those by yes or no in four equal parts."""

    color: int = 80
    shape: int = 80
    whether: int = 80
    description: int = 60


def write(folder: Path, split: world.Split, first: int, sizes: Sizes) -> None:
    """Write the questions, at most one on each picture from the split's `first` on."""
    (folder / "images").mkdir(parents=True)
    rows = choose(world.scenes(split)[first:], sizes)
    for scene, row in rows:
        (folder / row["image"]).write_bytes(scene.path.read_bytes())
    rows.sort(key=lambda pair: KINDS.index(pair[1]["category"]))
    text = "".join(json.dumps(row) + "\n" for _, row in rows)
    (folder / FILE).write_text(text, encoding="utf-8")
    counts = (sum(row["category"] == kind for _, row in rows) for kind in KINDS)
    print("  " + ", ".join(f"{n} {kind}" for n, kind in zip(counts, KINDS, strict=True)))


def choose(scenes: Sequence[world.Scene], sizes: Sizes) -> list[tuple[world.Scene, dict[str, Any]]]:
    """Return one question on each of the first scenes that have one of which more are wanted.

    Raises:
        ValueError: there are too few pictures with such questions.
    """
    quarter = sizes.whether // 4
    wanted = {"color": sizes.color, "shape": sizes.shape, "description": sizes.description}
    wanted |= {
        f"yes or no, {part}": quarter for part in ("plain yes", "plain no", "not yes", "not no")
    }
    found = []
    for scene in scenes:
        asked = defaultdict(list)
        for question, answer in scene.questions:
            asked[_part(question, answer)].append((question, answer))
        asked["description"] = [(world.DESCRIBE[0], world.references(scene.facts)[0])]
        part = max(wanted, key=lambda name: wanted[name] if asked[name] else 0)
        if not (wanted[part] and asked[part]):
            continue
        wanted[part] -= 1
        question, answer = asked[part][0]
        found.append((scene, _row(scene, question, answer)))
    if any(wanted.values()):
        raise ValueError(f"too few pictures: {wanted} questions are missing")
    return found


def _part(question: str, answer: str) -> str:
    kind = instructions.kind_of(question)
    if kind != "yes or no":
        return kind
    return f"{kind}, {'not' if negated(question) else 'plain'} {answer}"


def negated(question: str) -> bool:
    """Tell whether a question has a "not" or a "no" in it."""
    return not _NEGATIONS.isdisjoint(_WORD.findall(question.lower()))


def _row(scene: world.Scene, question: str, answer: str) -> dict[str, Any]:
    facts = scene.facts
    return {
        "id": scene.name,
        "image": f"images/{scene.name}.png",
        "question": question,
        "answer": answer,
        "category": instructions.kind_of(question),
        "facts": {name: getattr(facts, name) for name in ("colour", "shape", "size", "place")},
        "references": world.references(facts),
    }


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the questions that `write` wrote."""
    lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def measure(rows: Sequence[Mapping[str, Any]], answers: Mapping[str, str]) -> dict[str, float]:
    """Return all endpoints, in percent (CIDEr x 10); a question without an answer is wrong.

    `answers` are by question id.
    """
    of_kind: dict[str, list[tuple[Mapping[str, Any], str]]] = {kind: [] for kind in KINDS}
    for row in rows:
        of_kind[row["category"]].append((row, answers.get(row["id"], "")))
    found = {
        kind: 100 * fmean(exact(answer, [row["answer"]]) for row, answer in pairs)
        for kind, pairs in of_kind.items()
        if kind != "description"
    }
    described = of_kind["description"]
    told = [count_facts(answer, row["facts"]) for row, answer in described]
    found["facts"] = 100 * fmean(true for true, _ in told)
    found["false facts"] = 100 * fmean(false for _, false in told)
    found["ends"] = 100 * fmean(ends(answer) for _, answer in described)
    found["cider"] = 10 * fmean(
        cider_d(
            [" ".join(answer.split()[:CUT]) for _, answer in described],
            [row["references"] for row, _ in described],
        )
    )
    description = (found["facts"] + found["ends"]) / 2
    found["mean"] = fmean([found["color"], found["shape"], found["yes or no"], description])
    return {name: found[name] for name in ENDPOINTS}


def count_facts(text: str, facts: Mapping[str, str]) -> tuple[float, float]:
    """Return which share of four facts a description tells truly, and which it contradicts.

    A fact is told truly if its true value is named and no other value of its kind is.
    """
    said = text.lower()
    words = set(_WORD.findall(said))
    named = {
        "colour": words & set(world.COLOURS),
        "shape": words & set(world.SHAPES),
        "size": words & set(world.SIZES),
        "place": set(_PLACES.findall(said)),
    }
    true = sum(values == {facts[name]} for name, values in named.items())
    false = sum(bool(values - {facts[name]}) for name, values in named.items())
    return true / len(named), false / len(named)


def ends(text: str) -> bool:
    """Tell whether a description ends as a sentence does."""
    return text.rstrip().endswith((".", "!", "?"))
