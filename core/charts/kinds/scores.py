"""How a score is distributed: all samples beside the selected ones, with the line between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.bins import counts, round_edges
from ig4.core.charts.frame import (
    PAGE,
    Chart,
    Size,
    finished,
    number_text,
    panels,
    plain,
    rows,
    share,
)
from ig4.core.charts.library import altair
from ig4.core.charts.names import short, shown
from ig4.core.charts.palette import ACCENT, REST, SELECTED
from ig4.core.counts import counted, nouns, verb

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 40
_HEIGHT = 250
_ALL, _CHOSEN = "all samples", "selected"


@dataclass(frozen=True, slots=True)
class Histogram:
    """A score in b bins: `edges` (b + 1,) float64, counts (b,) int64 of all and of the selected.

    `median` and `selected_median` are None where there are no values. `line` is the lowest score
    that got in, if every sample above it is selected and none below it; else None. `missing`
    samples have no score, and `uncompared` ones have one that the selection did not scale, as they
    lack something else; neither are in a bin. `unit` is what the score is counted in.
    """

    name: str
    unit: str
    edges: NDArray[np.float64]
    everyone: NDArray[np.int64]
    selected: NDArray[np.int64]
    median: float | None
    selected_median: float | None
    line: float | None
    missing: int
    uncompared: int = 0

    @property
    def total(self) -> int:
        """How many samples have the score."""
        return int(self.everyone.sum())

    @property
    def chosen(self) -> int:
        """How many of them are selected."""
        return int(self.selected.sum())

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        return {
            "name": self.name,
            "unit": self.unit,
            "edges": [plain(edge) for edge in self.edges.tolist()],
            "all": self.everyone.tolist(),
            "selected": self.selected.tolist(),
            "median": plain(self.median),
            "selected_median": plain(self.selected_median),
            "line": plain(self.line),
            "missing": self.missing,
            "uncompared": self.uncompared,
        }


def histogram(
    name: str,
    values: NDArray[np.float64],
    selected: NDArray[np.bool_],
    *,
    unit: str = "percent",
    bins: int = BINS,
    has_line: bool = False,
    raw: NDArray[np.float64] | None = None,
) -> Histogram:
    """Count scores (n,) float64 in bins, NaN where there is none; `selected` (n,) marks samples.

    With `has_line` the lowest selected score is the line, if it divides the samples. `raw` (n,) are
    the scores before they were scaled: samples that have only these were not compared.
    """
    known = np.isfinite(values)
    edges = round_edges(values, bins)
    chosen = values[known & selected]
    uncompared = 0 if raw is None else int((np.isfinite(raw) & ~known).sum())
    return Histogram(
        name,
        unit,
        edges,
        counts(values, edges),
        counts(chosen, edges),
        _median(values[known]),
        _median(chosen),
        dividing_line(values, selected) if has_line else None,
        int((~known).sum()) - uncompared,
        uncompared,
    )


def dividing_line(values: NDArray[np.float64], selected: NDArray[np.bool_]) -> float | None:
    """Return the lowest selected score, if no other sample has a higher one; else None."""
    known = np.isfinite(values)
    inside, outside = values[known & selected], values[known & ~selected]
    if not len(inside) or not len(outside):
        return None
    line = float(inside.min())
    return line if float(outside.max()) <= line else None


def _median(values: NDArray[np.float64]) -> float | None:
    return float(np.median(values)) if len(values) else None


def score_chart(values: Histogram, size: Size = PAGE, *, title: str | None = None) -> Chart:
    """Draw a histogram: grey bars for all samples, a blue outline for the selected ones.

    Heights are shares of all and of the selected, so that both can be compared.
    """
    alt = altair()
    scale = alt.Scale(domain=[_ALL, _CHOSEN], range=[REST, SELECTED])
    legend = alt.Legend(symbolType="square") if values.chosen else None
    colour = alt.Color("who:N", title=None, scale=scale, legend=legend)
    x_title = f"{short(values.name, 40)} ({values.unit})"
    x = alt.X("low:Q", bin="binned", title=x_title, scale=alt.Scale(zero=False, nice=False))
    y = alt.Y("share:Q", title="share of samples (%)", scale=alt.Scale(zero=True))
    bins = _bins(values)
    tips = [
        alt.Tooltip("from:N", title="from"),
        alt.Tooltip("to:N", title="to"),
        alt.Tooltip("all:Q", title="samples", format=","),
        alt.Tooltip("selected:Q", title="selected", format=","),
        alt.Tooltip("share:Q", title="of all (%)", format=".1f"),
        alt.Tooltip("selected_share:Q", title="of selected (%)", format=".1f"),
    ]
    base = alt.Chart(rows(bins))
    layers = [
        base.mark_bar(binSpacing=1, opacity=0.75)
        .encode(
            x=x, x2="high:Q", y=y,
            color=colour,
        )
    ]  # fmt: skip
    if values.chosen:
        layers.append(
            alt.Chart(rows(_outline(bins)))
            .mark_area(
                interpolate="step-after", fillOpacity=0.18, line={"strokeWidth": 2.5},
                tooltip=False,
            )
            .encode(
                x="low:Q", y="share:Q",
                color=colour,
            )
        )  # fmt: skip
    # What is pointed at is the whole height of a bin, as low bars are hard to hit.
    layers.append(base.mark_rect(opacity=0, aria=False).encode(x=x, x2="high:Q", tooltip=tips))
    layers += _line(values)
    return finished(
        alt.layer(*layers),
        size,
        title=title or f"Scores: {short(values.name, 30)}",
        about=_about(values),
        description=_description(values),
        height=_HEIGHT,
    )


def score_charts(values: Sequence[Histogram], size: Size = PAGE) -> Chart:
    """Draw several histograms, two in a row where there is room for it."""
    columns = 2 if len(values) > 1 and size.room >= 600 else 1
    each = Size(size.room // columns - 10, size.height or 290)
    return panels(
        [score_chart(one, each) for one in values],
        description=" ".join(_description(one) for one in values),
        columns=columns,
    )


def _bins(values: Histogram) -> list[dict[str, Any]]:
    found = []
    for n, (everyone, chosen) in enumerate(zip(values.everyone, values.selected, strict=True)):
        low, high = float(values.edges[n]), float(values.edges[n + 1])
        found.append(
            {
                "who": _ALL,
                "low": low,
                "high": high,
                "from": f"{low:.6g}",
                "to": f"{high:.6g}",
                "all": everyone,
                "selected": chosen,
                "share": share(everyone, values.total),
                "selected_share": share(chosen, values.chosen),
            }
        )
    return found


def _outline(bins: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the corners of a line of steps; the last step needs an end of its own."""
    corners = [(one["low"], one["selected_share"]) for one in bins]
    corners.append((bins[-1]["high"], bins[-1]["selected_share"]))
    return [{"who": _CHOSEN, "low": low, "share": height} for low, height in corners]


def _line(values: Histogram) -> list[Chart]:
    if values.line is None:
        return []
    alt = altair()
    low, high = float(values.edges[0]), float(values.edges[-1])
    is_right = values.line > (low + high) / 2
    data = rows([{"line": values.line, "text": f"line {number_text(values.line)}"}])
    rule = (
        alt.Chart(data)
        .mark_rule(color=ACCENT, strokeWidth=2, strokeDash=[5, 3])
        .encode(x="line:Q", tooltip=[alt.Tooltip("line:Q", title="line", format=".6g")])
    )
    text = (
        alt.Chart(data)
        .mark_text(align="right" if is_right else "left", dx=-5 if is_right else 5, dy=7)
        .encode(x="line:Q", y=alt.value(0), text="text:N")
    )
    return [rule, text]


def _about(values: Histogram) -> list[str]:
    if not values.total:
        return ["no sample has this score"]
    lines = [f"{values.total:,} samples, median {number_text(values.median)}"]
    if values.chosen:
        lines.append(f"{values.chosen:,} selected, median {number_text(values.selected_median)}")
    for count, told in _left_out(values):
        lines[0] = f"{lines[0]}; {count:,} {told}"
    return lines


def _left_out(values: Histogram) -> list[tuple[int, str]]:
    """Return how many samples are in no bin, and why."""
    both = [(values.missing, "without"), (values.uncompared, "not compared")]
    return [(count, why) for count, why in both if count]


def _description(values: Histogram) -> str:
    name = shown(values.name, 80)
    if not values.total:
        return f"Histogram of {name}: no sample has this score."
    start = f"Histogram of {name} ({values.unit}): {counted(values.total, 'sample')}"
    spread = f"from {number_text(values.edges[0])} to {number_text(values.edges[-1])}"
    parts = [f"{start}, median {number_text(values.median)}, {spread}."]
    if values.chosen:
        parts.append(
            f"The {values.chosen:,} selected {nouns(values.chosen, 'sample')} "
            f"{verb(values.chosen, 'has', 'have')} median {number_text(values.selected_median)}."
        )
    if values.line is not None:
        parts.append(f"The line is at {number_text(values.line)}.")
    if values.missing:
        parts.append(f"{counted(values.missing, 'sample')} without the score.")
    if values.uncompared:
        parts.append(
            f"{counted(values.uncompared, 'sample')} with it "
            f"{verb(values.uncompared, 'was', 'were')} not compared, for lack of something else."
        )
    return " ".join(parts)
