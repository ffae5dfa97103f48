"""Plots as pictures in the terminal, one for each kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.cli.terminal.blocks import Pen, bar, dotted, interval, padded, stacked, towers
from ig4.core.charts.frame import number_text, percent_text, share
from ig4.core.charts.kinds.compare import drawn_groups
from ig4.core.charts.kinds.correlations import correlation_text
from ig4.core.charts.kinds.costs import duration_text
from ig4.core.charts.kinds.funnel import step_text
from ig4.core.charts.kinds.shares import drawn_parts
from ig4.core.charts.kinds.training import thinned
from ig4.core.charts.names import AXIS, columns, labels, shown
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.charts.kinds.compare import Overlap
    from ig4.core.charts.kinds.correlations import Correlations
    from ig4.core.charts.kinds.costs import Spending
    from ig4.core.charts.kinds.funnel import FunnelStep
    from ig4.core.charts.kinds.judge import Verdicts
    from ig4.core.charts.kinds.maps import MapValues
    from ig4.core.charts.kinds.results import BenchmarkValue
    from ig4.core.charts.kinds.scores import Histogram
    from ig4.core.charts.kinds.shares import PartShares
    from ig4.core.charts.kinds.training import TrainingCurve
    from ig4.core.charts.kinds.weights import WeightShare
    from ig4.core.engine.plotting.kinds import ArmValues, Plot

_ROWS = 4  # lines of a histogram or a curve
_MAP_ROWS = 20


def picture(plot: Plot, pen: Pen) -> Iterator[str]:
    """Yield the lines of a plot, no wider than the pen."""
    return _PICTURES[plot.kind](plot.values, pen)


def _scores(values: Sequence[Histogram], pen: Pen) -> Iterator[str]:
    for place, one in enumerate(values):
        if place:
            yield ""
        told = f"{one.name} ({one.unit}): {one.total:,} samples"
        yield padded(told, pen.width).rstrip()
        if not one.total:
            yield "  no sample has this score"
            continue
        room = pen.width - 11
        wide = max(1, room // len(one.everyone))
        for name, counts, median, paint in (
            ("all", one.everyone, one.median, pen.quiet),
            ("selected", one.selected, one.selected_median, pen.selected),
        ):
            if not counts.sum():
                continue
            lines = towers(pen, _merged(counts, room), _ROWS, wide)
            about = [name, f"{int(counts.sum()):,}", "median", number_text(median)]
            for head, line in zip(about, lines, strict=True):
                yield f"{padded(head, 10)} {paint(line)}".rstrip()
        yield " " * 11 + _scale(one, min(room, wide * len(one.everyone)))
        if one.line is not None:
            yield pen.second(f"{'':11}line: {number_text(one.line)}")
        if one.missing:
            yield f"{'':11}{counted(one.missing, 'sample')} without it"
        if one.uncompared:
            yield f"{'':11}{counted(one.uncompared, 'sample')} with it not compared"


def _merged(counts: Any, room: int) -> list[float]:
    """Return counts of bins, neighbours summed where there are more than `room`."""
    width = -(-len(counts) // room)
    return [float(counts[n : n + width].sum()) for n in range(0, len(counts), width)]


def _scale(one: Histogram, wide: int) -> str:
    low, high = number_text(float(one.edges[0])), number_text(float(one.edges[-1]))
    return f"{low}{high.rjust(max(1, wide - len(low)))}"


def _correlations(values: Correlations, pen: Pen) -> Iterator[str]:
    """Yield a table: numbers below the diagonal, blocks above it that are as many as it is strong.

    Columns have numbers, as their names would not fit.
    """
    m = len(values.names)
    named = labels(values.names, 18)
    side = max(map(columns, named), default=0)
    fitting = min(m, max(1, (pen.width - side - 6) // 6))
    yield "Spearman's rank correlation"
    yield " " * (side + 5) + "".join(f"{n + 1:>6}" for n in range(fitting))
    for a in range(m):
        cells = "".join(_cell(values, a, b, pen) for b in range(fitting))
        yield f"{a + 1:>3}  {padded(named[a], side)}{cells}".rstrip()
    if fitting < m:
        yield f"{m - fitting} more columns: --out FILE draws all"
    if values.left_out:
        yield f"{values.left_out} more scores are not shown: name some with --scorer"


def _cell(values: Correlations, a: int, b: int, pen: Pen) -> str:
    if a == b:
        return "     \\" if not pen.blocks else "     ╲"
    value = float(values.matrix[a, b])
    if b < a or not np.isfinite(value):
        text = correlation_text(value)
        if not pen.blocks:
            text = text.replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-")
        return f"{text:>6}"
    sign = "+" if value >= 0 else "-"
    filled = round(abs(value) * 4)
    text = f"{sign}{pen.stack[0] * filled}" if filled else "."
    paint = pen.selected if value >= 0 else pen.second
    return " " * (6 - len(text)) + paint(text)


def _weights(values: Sequence[WeightShare], pen: Pen) -> Iterator[str]:
    named = labels([one.name for one in values])
    side = max(map(columns, named), default=0)
    room = pen.width - side - 24
    most = max((max(one.worth, one.given) for one in values), default=1.0)
    yield f"share of F(x): {pen.stack[0]} worth (weight times spread), | given"
    for label, one in zip(named, values, strict=True):
        line = bar(pen, one.worth, most, room).ljust(room + 1)
        at = min(room, round(room * one.given / most)) if most else 0
        drawn = pen.selected(line[:at]) + pen.second("|") + pen.selected(line[at + 1 :])
        yield f"{padded(label, side)} {drawn} {one.worth:4.0%}, given {one.given:.0%}"


def _shares(values: PartShares, pen: Pen) -> Iterator[str]:
    parts = drawn_parts(values)
    named = labels([one.name for one in parts])
    side = max(map(columns, named), default=0)
    room = pen.width - side - 24
    rows = [
        (label, share(one.pool, values.memberships), share(one.selected, values.selected), one)
        for label, one in zip(named, parts, strict=True)
    ]
    most = max((max(pool, chosen) for _, pool, chosen, _ in rows), default=1.0)
    light = pen.stack[2]
    by = shown(values.by, 40)
    yield f"{values.kind}s by {by}: {light} of all samples, {pen.stack[0]} of the selection"
    for label, pool, chosen, one in rows:
        line = bar(pen, pool, most, room).replace(pen.stack[0], light)
        yield f"{padded(label, side)} {pen.quiet(line)} " + _counted(one.pool, values.memberships)
        quota = "" if one.quota is None else f", quota {one.quota:,}"
        yield (
            f"{'':{side}} {pen.selected(bar(pen, chosen, most, room))} "
            f"{_counted(one.selected, values.selected)}{quota}"
        )


def _counted(part: int, whole: int) -> str:
    return f"{percent_text(part, whole)} ({part:,})"


def _funnel(values: Sequence[FunnelStep], pen: Pen) -> Iterator[str]:
    named = labels([one.name for one in values], 30)
    side = max(map(columns, named), default=0)
    room = pen.width - side - 20
    most = max((one.left for one in values), default=1)
    came: int | None = None
    for n, (label, one) in enumerate(zip(named, values, strict=True)):
        paint = pen.selected if n == len(values) - 1 else pen.quiet
        text = step_text(one.left, came)
        if not pen.blocks:
            text = text.replace("\N{MINUS SIGN}", "-")
        yield f"{padded(label, side)} {paint(bar(pen, one.left, most, room))} {text}"
        came = one.left


def _map(values: MapValues, pen: Pen) -> Iterator[str]:
    chosen = int(values.selected.sum())
    where = f"{shown(values.method, 30)} of {shown(values.space, 30)}"
    yield f"{where}: {len(values.coordinates):,} samples, {chosen:,} selected"
    lines, is_rare = dotted(pen, values.coordinates, values.selected, _MAP_ROWS)
    yield from lines
    if chosen:
        what = "a selected sample" if is_rare else "more of them selected than on the whole"
        yield f"{pen.selected(pen.mark)} {what}"
    if values.unplaced:
        yield f"{counted(values.unplaced, 'sample')} without a vector"


def _compare(values: Overlap, pen: Pen) -> Iterator[str]:
    groups = drawn_groups(values)
    named = labels([one.name for one in groups])
    side = max(map(columns, named), default=0)
    room = pen.width - side - 24
    a, b = labels([values.first, values.second], 20)
    most = max((one.total for one in groups), default=1)
    yield f"{pen.stack[0]} only {a}  {pen.stack[1]} both  {pen.stack[2]} only {b}"
    for label, one in zip(named, groups, strict=True):
        counts = (one.only_first, one.both, one.only_second)
        line = stacked(pen, counts, most, room)
        yield f"{padded(label, side)} {line} {' | '.join(f'{count:,}' for count in counts)}"
    found = values.correlation
    ranks = "" if found is None else f", rank correlation of what both have {found:+.2f}"
    yield f"Jaccard {values.jaccard:.2f}{ranks}"


def _judge(values: Verdicts, pen: Pen) -> Iterator[str]:
    named = labels([one.name for one in values.counts])
    side = max(map(columns, named), default=0)
    room = pen.width - side - 38
    first, second = labels([values.first, values.second], 30)
    win, tie, loss = pen.stack
    yield f"{first} against {second}: {win} win  {tie} tie  {loss} loss"
    for label, one in zip(named, values.counts, strict=True):
        line = stacked(pen, (one.win, one.tie, one.loss), one.total, max(10, room))
        counts = f"{one.win} | {one.tie} | {one.loss}"
        told = "" if one.interval is None else _wins(one.interval)
        yield f"{padded(label, side)} {line} {counts}{told}"


def _wins(ends: tuple[float, float]) -> str:
    return f", wins {100 * ends[0]:.0f}-{100 * ends[1]:.0f} % (95 %)"


def _training(values: Sequence[TrainingCurve], pen: Pen) -> Iterator[str]:
    for place, one in enumerate(values):
        if place:
            yield ""
        yield padded(f"loss of training {one.name}", pen.width).rstrip()
        _, losses = thinned(one.steps, one.loss, pen.width - 11)
        if not losses:
            yield "  no loss is recorded"
            continue
        low, high = min(losses), max(losses)
        # The axis begins a little below the lowest loss, so that this is still to be seen.
        base = low - (high - low) / 20 if high > low else 0.0
        lines = towers(pen, [loss - base for loss in losses], _ROWS)
        heads = [number_text(high), "", "", number_text(low)]
        for head, line in zip(heads, lines, strict=True):
            yield f"{padded(head, 10) if head else ' ' * 10} {pen.selected(line)}".rstrip()
        known = one.loss[np.isfinite(one.loss)]
        ends = f"step {int(one.steps[0]):,} to {int(one.steps[-1]):,}"
        yield f"{'':11}{ends}, {number_text(float(known[0]))} -> {number_text(float(known[-1]))}"


def _evaluations(values: Sequence[BenchmarkValue], pen: Pen) -> Iterator[str]:
    rows = [
        (f"{one.benchmark} ({one.metric}) {one.model}", one.value,
         one.value if one.low is None else one.low, one.value if one.high is None else one.high)
        for one in values
    ]  # fmt: skip
    yield from _intervals(rows, pen)


def _ablation(values: ArmValues, pen: Pen) -> Iterator[str]:
    yield f"{shown(values.column, 30)}: mean and one standard deviation to both sides"
    rows = [
        (one.arm, one.mean, one.mean - (one.deviation or 0.0), one.mean + (one.deviation or 0.0))
        for one in values.arms
    ]
    yield from _intervals(rows, pen)


def _intervals(rows: Sequence[tuple[str, float, float, float]], pen: Pen) -> Iterator[str]:
    named = labels([row[0] for row in rows], 34)
    side = max(map(columns, named), default=0)
    room = max(10, pen.width - side - 26)
    low, high = min(row[2] for row in rows), max(row[3] for row in rows)
    for label, (_, value, start, end) in zip(named, rows, strict=True):
        line = interval(pen, start, value, end, (low, high), room)
        told = f"{value:.2f}" + (f" [{start:.2f}, {end:.2f}]" if end > start else "")
        yield f"{padded(label, side)} {pen.selected(line)}{' ' * (room - len(line))} {told}"


def _costs(values: Spending, pen: Pen) -> Iterator[str]:
    parts: list[tuple[str, list[tuple[str, float, str]]]] = [
        (f"US dollars by {values.by}",
         [(one.name, one.cost, f"${one.cost:,.2f}, {counted(one.calls, 'call')}")
          for one in values.costs]),
        ("working time by component",
         [(one.name, one.seconds, duration_text(one.seconds)) for one in values.times]),
    ]  # fmt: skip
    drawn = [(title, rows) for title, rows in parts if rows]
    for place, (title, rows) in enumerate(drawn):
        if place:
            yield ""
        yield title
        named = labels([row[0] for row in rows], AXIS)
        side = max(map(columns, named))
        most = max(row[1] for row in rows)
        for label, (_, value, told) in zip(named, rows, strict=True):
            room = pen.width - side - 28
            yield f"{padded(label, side)} {pen.selected(bar(pen, value, most, room))} {told}"


_PICTURES: Mapping[str, Callable[[Any, Pen], Iterator[str]]] = {
    "scores": _scores,
    "correlations": _correlations,
    "weights": _weights,
    "groups": _shares,
    "clusters": _shares,
    "funnel": _funnel,
    "map": _map,
    "compare": _compare,
    "judge": _judge,
    "training": _training,
    "evaluations": _evaluations,
    "ablation": _ablation,
    "costs": _costs,
}
