"""The last page: does it hold, how often is an answer better, and what had been spoilt.

The only module that reads which samples are spoilt; by then everything is decided.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import commands
import instructions
import numpy as np

KEY = "apart/spoilt.json"
"""Where it stands, by sample id, how each was spoilt; null for a sound one."""

_LEVEL = 0.05
SCORERS = ("clip", "length", "reward")


def write(work: Path, split: str) -> None:
    """Print the report, and keep it as `report-SPLIT.md` in the work folder."""
    parts = [
        f"# The paper in miniature, {split} questions",
        (work / f"tables-{split}.md").read_text(encoding="utf-8").strip(),
        "## Does it hold?",
        claims(json.loads((work / f"tables-{split}.json").read_text(encoding="utf-8"))),
        "## Answers side by side (Figure 1)",
        figure(work / f"judged-{split}"),
        "## What had been spoilt (counted now, by nobody before)",
        kept(work, split),
        "How well each indicator tells sound samples from spoilt ones (area under ROC):",
        indicators(work),
        "## Time",
        times(work),
    ]
    text = "\n\n".join(parts) + "\n"
    (work / f"report-{split}.md").write_text(text, encoding="utf-8")
    print(text)


def claims(report: dict[str, Any]) -> str:
    """Return the two claims of the paper, each held to the mean of all benchmarks, and to each."""
    lines = []
    for rival, claim in (("random", "selected > random"), ("all", "selected >= all")):
        found = [one for one in report["comparisons"] if one["second"] == rival]
        found.sort(key=lambda each: each["column"] != "mean")
        lines += [[claim, one["column"], *_measured(one), _verdict(one)] for one in found]
    head = ["claim", "in", "difference", "95 % interval", "p (better)", "p (worse)",
            "exact p (better)", "it is"]  # fmt: skip
    return table(head, lines)


def _measured(one: dict[str, Any]) -> list[str]:
    student, exact = one["student"], one["permutation"]
    low, high = one["low"], one["high"]
    return [
        f"{one['difference']:+.2f}",
        "-" if low is None else f"{low:+.2f} to {high:+.2f}",
        "-" if student is None else _p(student["greater"]),
        "-" if student is None else _p(student["less"]),
        _p(exact["greater"]),
    ]


def _p(value: float) -> str:
    """Return a p-value; none is zero."""
    return f"{value:.3f}" if value >= 0.001 else "<0.001"


def _verdict(one: dict[str, Any]) -> str:
    student = one["student"]
    if student is None:
        return "undecided"
    if student["greater"] < _LEVEL:
        return "better"
    return "worse" if student["less"] < _LEVEL else "undecided"


def figure(folder: Path) -> str:
    """Return wins, ties and fails of the selection's models as bars and figures."""
    lines = []
    for rival in commands.RIVALS:
        report = json.loads((folder / f"{rival}.json").read_text(encoding="utf-8"))
        for name, one in {"all questions": report["overall"], **report["categories"]}.items():
            lines.append([f"ig4 : {rival}", name, *_bar(one)])
    return table(["models", "questions", "win", "tie", "fail", "", "sign test p"], lines)


def _bar(one: dict[str, Any]) -> list[str]:
    counts = [one["win"], one["tie"], one["fail"]]
    total = max(1, sum(counts))
    bar = "".join(mark * round(30 * n / total) for mark, n in zip("█▒░", counts, strict=True))
    p = one["p_value"]
    return [*map(str, counts), bar, "-" if p is None else _p(p)]


def kept(work: Path, split: str) -> str:
    """Return how many spoilt samples of each kind the arms trained on, mean over seeds."""
    key = json.loads((work / KEY).read_text(encoding="utf-8"))
    rows = commands.query_rows(
        work,
        "SELECT c.arm AS arm, c.seed AS seed, s.external_id AS id FROM ablation_cells c "
        "JOIN selected_samples x ON x.selection_id = c.selection_id "
        "JOIN samples s ON s.id = x.sample_id "
        f"WHERE c.ablation_id = {commands.ablation(work, split)}",
    )
    arms: dict[str, list[str]] = {"all": list(key)}
    cells = Counter((row["arm"], row["seed"]) for row in rows)
    for row in rows:
        arms.setdefault(row["arm"], []).append(row["id"])
    lines = []
    for arm, names in arms.items():
        seeds = max(1, sum(name == arm for name, _ in cells))
        kinds = Counter(key[name] for name in names)
        spoilt = len(names) - kinds[None]
        each = [f"{kinds[kind] / seeds:.1f}" for kind in instructions.KINDS]
        lines.append(
            [arm, f"{len(names) / seeds:,.0f}", f"{100 * spoilt / len(names):.1f} %", *each]
        )
    return table(["arm", "samples", "spoilt", *instructions.KINDS], lines)


def indicators(work: Path) -> str:
    """Return the area under the ROC curve of each scorer, for each kind and all together."""
    key = json.loads((work / KEY).read_text(encoding="utf-8"))
    columns = ", ".join(SCORERS)
    rows = commands.query_rows(work, f"SELECT external_id AS id, {columns} FROM scores_wide")
    lines = []
    for scorer in SCORERS:
        sound = [row[scorer] for row in rows if key[row["id"]] is None]
        areas = []
        for kind in (*instructions.KINDS, None):
            wanted = {kind} if kind else set(instructions.KINDS)
            areas.append(area(sound, [row[scorer] for row in rows if key[row["id"]] in wanted]))
        lines.append([scorer, *(f"{one:.2f}" for one in areas)])
    return table(["indicator", *instructions.KINDS, "all kinds"], lines)


def area(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Return how often one of `higher` is above one of `lower`; ties count half."""
    one, other = np.asarray(higher)[:, None], np.asarray(lower)[None, :]
    return float(((one > other) + 0.5 * (one == other)).mean())


def times(work: Path) -> str:
    """Return how long each step took when it was done."""
    lines = (work / "times.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    seconds: dict[str, float] = {}
    for row in rows:
        # A command that had nothing left to do is told again; the first time counts.
        seconds[row["step"]] = max(row["seconds"], seconds.get(row["step"], 0.0))
    return table(["step", "seconds"], [[name, f"{value:.0f}"] for name, value in seconds.items()])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown whose columns stand under each other."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    lines = [[text.ljust(width) for text, width in zip(row, widths, strict=True)]
             for row in [head, *rows]]  # fmt: skip
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
