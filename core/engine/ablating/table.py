"""The tables of an ablation: arms by benchmarks, mean ± standard deviation, best ones marked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ig4.core.engine.ablating.arms.arm import MAIN, REFERENCE, Arm
from ig4.core.statistics.paired import PairedResult, compare

MEAN = "mean"
"""The column that averages the benchmarks."""

PERCENT_LIKE = 10.0
"""A column with a value above this is shown as it is, any other times 100.

Accuracies end at 1 and CIDEr-D at 10; larger values (a relative score of 64.8) are percentages
already.
"""


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """The result of an arm with one seed: `values` by benchmark, in the benchmark's unit."""

    arm: str
    seed: int
    samples: int | None
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TableCell:
    """A mean over seeds, its sample standard deviation (None for one seed), and their number."""

    mean: float
    deviation: float | None
    seeds: int
    best: bool = False

    def text(self, digits: int = 2, plus_minus: str = "±") -> str:
        """Return `52.30 ± 0.41`."""
        if self.deviation is None:
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} {plus_minus} {self.deviation:.{digits}f}"


@dataclass(frozen=True, slots=True)
class TableRow:
    """An arm: how many samples it trains on, and a cell for each column, None without a value."""

    arm: str
    samples: str
    cells: tuple[TableCell | None, ...]


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The arms of one group and the reference; `columns` are benchmarks, then the mean."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True, slots=True)
class Contrast:
    """A comparison of two arms in one column, in the unit of the tables."""

    first: str
    second: str
    column: str
    result: PairedResult


METRIC_FACTORS = {"cider": 10.0}
"""The factors of metrics in tables: CIDEr as in the paper, as x 100 would dominate the mean."""


@dataclass(frozen=True, slots=True)
class AblationReport:
    """The tables and comparisons of an ablation so far.

    `headlines` name the metric of each benchmark, `factors` are what its values are multiplied by
    in the tables; `notes` say what is missing.
    """

    tables: tuple[ResultTable, ...]
    contrasts: tuple[Contrast, ...]
    headlines: Mapping[str, str]
    factors: Mapping[str, float]
    outcomes: tuple[CellOutcome, ...]
    notes: tuple[str, ...] = field(default=())


def build_report(
    arms: Sequence[Arm],
    benchmarks: Sequence[str],
    outcomes: Sequence[CellOutcome],
    *,
    headlines: Mapping[str, str] | None = None,
    factors: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
) -> AblationReport:
    """Make the tables and comparisons of outcomes; arms without outcomes have empty rows."""
    metrics = headlines or {}
    scale = {
        name: (factors or {}).get(name)
        or METRIC_FACTORS.get(metrics.get(name, ""))
        or _factor(name, outcomes)
        for name in benchmarks
    }
    scaled = [_scaled(one, benchmarks, scale) for one in outcomes]
    columns = (*benchmarks, MEAN) if len(benchmarks) > 1 else tuple(benchmarks)
    return AblationReport(
        tables=tuple(_tables(arms, columns, scaled)),
        contrasts=tuple(_contrasts(arms, columns, scaled)),
        headlines=dict(metrics),
        factors=scale,
        outcomes=tuple(outcomes),
        notes=tuple(notes),
    )


def _factor(name: str, outcomes: Sequence[CellOutcome]) -> float:
    values = [abs(one.values[name]) for one in outcomes if name in one.values]
    return 1.0 if max(values, default=0.0) > PERCENT_LIKE else 100.0


def _scaled(one: CellOutcome, benchmarks: Sequence[str], scale: Mapping[str, float]) -> CellOutcome:
    """Return an outcome in the unit of the tables, with its mean if no benchmark is missing."""
    values = {
        name: one.values[name] * scale[name] for name in benchmarks if name in one.values
    }  # fmt: skip
    if len(benchmarks) > 1 and len(values) == len(benchmarks):
        values[MEAN] = math.fsum(values.values()) / len(values)
    return CellOutcome(one.arm, one.seed, one.samples, values)


def _tables(
    arms: Sequence[Arm], columns: tuple[str, ...], outcomes: Sequence[CellOutcome]
) -> list[ResultTable]:
    groups = list(dict.fromkeys([MAIN, *(arm.group for arm in arms)]))
    tables = []
    for group in groups:
        members = [arm.name for arm in arms if arm.group == group]
        if not members:
            continue
        if group != MAIN and any(arm.name == REFERENCE for arm in arms):
            members = [REFERENCE, *members]
        tables.append(_table(group, members, columns, outcomes))
    return tables


def _table(
    title: str, names: Sequence[str], columns: tuple[str, ...], outcomes: Sequence[CellOutcome]
) -> ResultTable:
    means = {
        (name, column): _cell(
            [one.values[column] for one in outcomes if one.arm == name and column in one.values]
        )
        for name in names
        for column in columns
    }
    best = {column: _best([means[name, column] for name in names]) for column in columns}
    rows = []
    for name in names:
        cells = tuple(_mark_best(means[name, column], best[column]) for column in columns)
        sizes = sorted(
            {one.samples for one in outcomes if one.arm == name and one.samples is not None}
        )
        rows.append(
            TableRow(name, "-".join(f"{n:,}" for n in dict.fromkeys(sizes[:1] + sizes[-1:])), cells)
        )
    return ResultTable(title, columns, tuple(rows))


def _cell(values: Sequence[float]) -> TableCell | None:
    n = len(values)
    if not n:
        return None
    mean = math.fsum(values) / n
    spread = math.fsum((value - mean) ** 2 for value in values)
    return TableCell(mean, math.sqrt(spread / (n - 1)) if n > 1 else None, n)


def _best(cells: Sequence[TableCell | None]) -> str | None:
    """Return the highest mean as it is printed, None with fewer than two means to compare."""
    means = [cell.mean for cell in cells if cell is not None]
    return f"{max(means):.2f}" if len(means) > 1 else None


def _mark_best(cell: TableCell | None, best: str | None) -> TableCell | None:
    """Mark a cell whose mean prints like the best one, so that a tie looks like a tie."""
    if cell is None or best is None or f"{cell.mean:.2f}" != best:
        return cell
    return TableCell(cell.mean, cell.deviation, cell.seeds, best=True)


def _contrasts(
    arms: Sequence[Arm], columns: tuple[str, ...], outcomes: Sequence[CellOutcome]
) -> list[Contrast]:
    """Compare the reference with every other arm, paired by seed."""
    names = [arm.name for arm in arms]
    if REFERENCE not in names:
        return []
    contrasts = []
    order = sorted(
        (name for name in names if name != REFERENCE),
        key=lambda name: name not in ("random", "all"),
    )
    for other in order:
        for column in columns:
            ours = {
                o.seed: o.values[column]
                for o in outcomes
                if o.arm == REFERENCE and column in o.values
            }
            theirs = {
                o.seed: o.values[column] for o in outcomes if o.arm == other and column in o.values
            }
            both = sorted(ours.keys() & theirs.keys())
            if both:
                result = compare([ours[s] for s in both], [theirs[s] for s in both])
                contrasts.append(Contrast(REFERENCE, other, column, result))
    return contrasts
