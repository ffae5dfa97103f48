"""The report of the arena: tables, claims and pictures, all made of the results.

Nothing is typed by hand: README.md gets its figures between two marks from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pictures
from arms import BALANCED, ORACLE, RIVAL, ArmTable, budget_of
from contrasts import MARGIN, Cells, Contrast, can_show, contrast, contrasts
from endpoints import ENDPOINTS
from miniature_modules import miniature_report
from worlds import World

README = Path(__file__).with_name("README.md")
PICTURES = "pictures"
PAPER = "paper"


@dataclass(slots=True)
class Results:
    """What came out: what was selected by world and table, and the cells with their failures."""

    worlds: Sequence[World]
    tables: Sequence[ArmTable]
    bases: Sequence[str]
    scale: Mapping[str, Any]
    picks: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    cells: dict[tuple[str, str], dict[tuple[str, str, int], Mapping[str, float]]] = field(
        default_factory=dict
    )
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, world: str, table: str, base: str, found: Mapping[str, Any]) -> None:
        """Take in the cells of an ablation."""
        own = self.cells.setdefault((world, table), {})
        for cell in found["cells"]:
            own[base, cell["arm"], cell["seed"]] = cell["values"]
        self.failed += [f"{world}, {base}, {name}: {why}" for name, why in found["failed"].items()]
        self.seconds += found["seconds"]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return {
            "scale": dict(self.scale),
            "bases": list(self.bases),
            "picks": [
                {"world": world, "table": table, **found}
                for (world, table), found in self.picks.items()
            ],
            "cells": [
                {"world": world, "table": table, "base": base, "arm": arm, "seed": seed, **values}
                for (world, table), own in self.cells.items()
                for (base, arm, seed), values in own.items()
            ],
            "failed": self.failed,
            "seconds": round(self.seconds, 1),
        }


def write(work: Path, results: Results) -> str:
    """Keep the report as `report.md` with its pictures in the work folder, and return it."""
    text = "# The arena\n\n" + body(results) + "\n"
    (work / "report.md").write_text(text, encoding="utf-8")
    write_pictures(work / PICTURES, results)
    return text


def write_readme(results: Results, part: str, readme: Path = README) -> None:
    """Put the report into README.md, in place of what stood between the marks of `part`."""
    prefix = "" if part == "arena" else f"{part}-"
    put_between(readme, part, body(results, prefix))
    write_pictures(readme.parent / PICTURES, results, prefix)


def put_between(path: Path, part: str, text: str) -> None:
    """Replace what stands between `<!-- PART: begin -->` and `<!-- PART: end -->`.

    Raises:
        ValueError: the file has no such marks.
    """
    begin, end = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    whole = path.read_text(encoding="utf-8")
    if begin not in whole or end not in whole:
        raise ValueError(f"{path} has no marks {begin} and {end}")
    head, rest = whole.split(begin, 1)
    tail = rest.split(end, 1)[1]
    path.write_text(f"{head}{begin}\n\n{text.strip()}\n\n{end}{tail}", encoding="utf-8")


def body(results: Results, prefix: str = "") -> str:
    """Return the report in Markdown, its headings from the third level on."""
    parts = [_summary(results), "### Claims of the plan", _claims(results)]
    for world in results.worlds:
        for table in results.tables:
            if (world.name, table.name) in results.cells:
                parts += list(_section(results, world, table, prefix))
    if results.failed:
        parts += ["### Cells that failed", "\n".join(f"- {one}" for one in results.failed)]
    return "\n\n".join(parts)


def _summary(results: Results) -> str:
    cells = sum(map(len, results.cells.values()))
    each = f", {results.seconds / cells:.1f} s for each" if cells else ""
    scale = results.scale
    return (
        f"{scale['samples']:,} samples, {scale['size']} selected, {scale['steps']} steps; base "
        f"models: {', '.join(results.bases)}; {cells:,} cells, trained and asked in "
        f"{results.seconds / 60:.1f} minutes{each}. Differences are points of the mean endpoint."
    )


def _claims(results: Results) -> str:
    """Return a table of the claims that the plan fixed, by world."""
    rows = []
    for world in results.worlds:
        cells = results.cells.get((world.name, "main"), {})
        found = contrasts(cells, _arms(cells))
        own = found.get(BALANCED.name)
        paper = contrast(cells, BALANCED.name, PAPER)
        shows = can_show(cells)
        oracle = found.get(ORACLE)
        rows.append(
            [
                world.name,
                "unknown" if shows is None else "yes" if shows else "no: it can show nothing",
                _measured(oracle),
                _measured(own),
                "-" if own is None else own.verdict,
                "-" if own is None or own.low is None
                else "yes" if own.low > -MARGIN else "not shown",
                _measured(paper),
                "-" if paper is None or paper.low is None else "yes" if paper.low > 0 else "no",
            ]
        )  # fmt: skip
    head = [
        "world", "oracle ahead of random?", "oracle - random", "balanced - random", "it is",
        "not inferior?", "balanced - paper", "ahead of paper?",
    ]  # fmt: skip
    return miniature_report.table(head, rows)


def _measured(one: Contrast | None) -> str:
    if one is None:
        return "-"
    if one.low is None or one.high is None:
        return f"{one.difference:+.1f}"
    return f"{one.difference:+.1f} [{one.low:+.1f}, {one.high:+.1f}]"


def _arms(cells: Cells) -> list[str]:
    return list(dict.fromkeys(arm for _, arm, _ in cells))


def _ordered(cells: Cells, table: ArmTable) -> list[str]:
    """Return the arms that have cells in the order of their table."""
    there = set(_arms(cells))
    return [one.name for one in table.arms if one.name in there]


def _section(results: Results, world: World, table: ArmTable, prefix: str) -> Iterator[str]:
    cells = results.cells[world.name, table.name]
    picked = results.picks[world.name, table.name]
    yield f"### {world.name}: {table.name}"
    yield f"{world.told[0].upper()}{world.told[1:]}."
    if table.name == "main" and can_show(cells) is False:
        yield (
            "**The oracle is not ahead of random here: this world can show nothing about "
            "rejecting, and no difference below is a finding.**"
        )
    name = f"{prefix}{world.name}-{table.name}.svg"
    if _picture(results, world, table) is not None:
        yield f"![differences to random in {world.name}]({PICTURES}/{name})"
    if table.name == "budgets":
        yield _budget_table(cells, picked, table)
    else:
        yield _arm_table(cells, picked, table)
        yield _endpoint_table(cells, table)
    if picked["skipped"]:
        yield "Skipped:"
        yield "\n".join(f"- `{name}`: {_line(why)}" for name, why in picked["skipped"].items())


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _arm_table(cells: Cells, picked: Mapping[str, Any], table: ArmTable) -> str:
    bases = list(dict.fromkeys(base for base, _, _ in cells))
    found = contrasts(cells, _ordered(cells, table))
    rows = []
    for one in table.arms:
        if one.name not in _arms(cells):
            continue
        own, held = found.get(one.name), picked["arms"].get(one.name, {})
        rows.append(
            [
                f"`{one.name}`", one.told, f"{_mean(cells, one.name, 'mean'):.1f}", _measured(own),
                _p(own and own.p), _p(own and own.corrected), "-" if own is None else own.verdict,
                *(_by_base(own, base) for base in bases),
                f"{100 * held['spoilt']:.1f} %", f"{held['variation']:.2f}",
                f"{held['seconds']:.2f}",
            ]
        )  # fmt: skip
    head = ["arm", "selects", "mean", "difference [95 %]", "p", "Holm", "it is", *bases, "spoilt",
            "variation", "seconds"]  # fmt: skip
    return miniature_report.table(head, rows)


def _by_base(one: Contrast | None, base: str) -> str:
    return f"{one.by_base[base]:+.1f}" if one is not None and base in one.by_base else "-"


def _p(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value >= 0.001 else "<0.001"


def _mean(cells: Cells, arm: str, endpoint: str) -> float:
    return fmean(values[endpoint] for (_, name, _), values in cells.items() if name == arm)


def _endpoint_table(cells: Cells, table: ArmTable) -> str:
    rows = [
        [f"`{one.name}`", *(f"{_mean(cells, one.name, name):.1f}" for name in ENDPOINTS)]
        for one in table.arms
        if one.name in _arms(cells)
    ]
    return miniature_report.table(["arm", *ENDPOINTS], rows)


def _budget_table(cells: Cells, picked: Mapping[str, Any], table: ArmTable) -> str:
    rows = []
    for name in _ordered(cells, table):
        made = budget_of(name)
        if made is None:
            continue
        arm, size = made
        own = None if arm == RIVAL else contrast(cells, name, f"{RIVAL}@{size}")
        held = picked["arms"].get(name, {})
        rows.append(
            [f"`{arm}`", str(size), f"{_mean(cells, name, 'mean'):.1f}", _measured(own),
             f"{100 * held['spoilt']:.1f} %", f"{held['variation']:.2f}"]
        )  # fmt: skip
    head = ["arm", "samples", "mean", "difference to random [95 %]", "spoilt", "variation"]
    return miniature_report.table(head, rows)


def write_pictures(folder: Path, results: Results, prefix: str = "") -> None:
    """Write a picture for each world and table."""
    folder.mkdir(exist_ok=True)
    for world in results.worlds:
        for table in results.tables:
            picture = _picture(results, world, table)
            if picture is not None:
                path = folder / f"{prefix}{world.name}-{table.name}.svg"
                path.write_text(picture, encoding="utf-8")


def _picture(results: Results, world: World, table: ArmTable) -> str | None:
    """Return the picture of a table in a world, None where there is nothing to draw."""
    cells = results.cells.get((world.name, table.name), {})
    if table.name == "budgets":
        return _budget_picture(results, world, cells, table)
    rows = [
        pictures.Interval(one.arm, one.difference, one.low, one.high, one.verdict)
        for one in contrasts(cells, _ordered(cells, table)).values()
        if one.low is not None and one.high is not None
    ]
    if not rows:
        return None
    return pictures.intervals(world.name, rows, "points more than a random draw (95 % interval)")


def _budget_picture(results: Results, world: World, cells: Cells, table: ArmTable) -> str | None:
    series: dict[str, dict[int, float]] = {}
    usual = int(results.scale["size"])
    main = results.cells.get((world.name, "main"), {})
    for name in _ordered(cells, table):
        made = budget_of(name)
        if made is not None:
            series.setdefault(made[0], {})[made[1]] = _mean(cells, name, "mean")
    for arm, values in series.items():
        if arm in _arms(main):
            values[usual] = _mean(main, arm, "mean")
    if not series:
        return None
    return pictures.lines(f"{world.name}: budgets", series, ("samples selected", "mean endpoint"))
