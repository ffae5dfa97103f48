"""Which indicators say the same: the rank correlation of every two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.frame import PAGE, Chart, Size, finished, plain, rows
from ig4.core.charts.layout import room
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, shown
from ig4.core.charts.palette import ACCENT, SELECTED
from ig4.core.statistics.ranks import rank_correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 24
"""So many indicators at most are shown."""

_LEAST_STEP = 21  # pixels of a cell in which a number can be read

_SIGNS = ("positive", "negative")


@dataclass(frozen=True, slots=True)
class Correlations:
    """Spearman's rank correlations (m, m) float64 of m indicators, NaN where there is none.

    `pairs` (m, m) int64 counts the samples that have both. `left_out` indicators have no room.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float64]
    pairs: NDArray[np.int64]
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        return {
            "names": list(self.names),
            "spearman": [[plain(one) for one in row] for row in self.matrix.tolist()],
            "samples": self.pairs.tolist(),
            "left_out": self.left_out,
        }


def correlations(
    names: Sequence[str], columns: Sequence[NDArray[np.float64]], *, most: int = MOST
) -> Correlations:
    """Correlate columns (n,) float64, NaN where a sample has no score."""
    kept = len(names[:most])
    matrix = np.full((kept, kept), np.nan)
    pairs = np.zeros((kept, kept), dtype=np.int64)
    for a in range(kept):
        for b in range(a + 1):
            both = np.isfinite(columns[a]) & np.isfinite(columns[b])
            found = rank_correlation(columns[a][both], columns[b][both])
            matrix[a, b] = matrix[b, a] = np.nan if found is None else found
            pairs[a, b] = pairs[b, a] = int(both.sum())
    return Correlations(tuple(names[:most]), matrix, pairs, len(names) - kept)


def correlation_chart(values: Correlations, size: Size = PAGE) -> Chart:
    """Draw numbers below the diagonal, and above it circles as large as the correlation is strong.

    Where there is no room for numbers, there are circles on both sides.

    A circle that is filled means that both rise together, an empty one that one falls.
    """
    alt = altair()
    named = labels(values.names, 16)
    cells = _cells(values, named)
    many = len(named)
    x = alt.X("across:N", title="indicator", scale=alt.Scale(domain=named), sort=named,
              axis=alt.Axis(orient="bottom", labelAngle=-40, domain=False,
                            ticks=False))  # fmt: skip
    y = alt.Y("down:N", title="indicator", scale=alt.Scale(domain=named), sort=named,
              axis=alt.Axis(domain=False, ticks=False))  # fmt: skip
    tips = [
        alt.Tooltip("first:N", title="indicator"),
        alt.Tooltip("second:N", title="and"),
        alt.Tooltip("text:N", title="rank correlation"),
        alt.Tooltip("samples:Q", title="samples", format=","),
    ]
    step = (room(size) - (110 if room(size) < 500 else 150)) / max(1, many)
    has_numbers = step >= _LEAST_STEP
    largest = min(900.0, (0.72 * step) ** 2)
    circles = (
        alt.Chart(rows(one for one in cells if one["value"] is not None
                       and (one["above"] or not has_numbers)))
        .mark_point(strokeWidth=2, opacity=1)
        .encode(
            x=x, y=y, tooltip=tips,
            size=alt.Size("strength:Q", scale=alt.Scale(domain=[0, 1], range=[4, largest]),
                          legend=None),
            stroke=alt.Stroke("sign:N", title=None,
                              scale=alt.Scale(domain=list(_SIGNS), range=[SELECTED, ACCENT])),
            fill=alt.Fill("sign:N", title=None,
                          scale=alt.Scale(domain=list(_SIGNS), range=[SELECTED, "transparent"]),
                          legend=alt.Legend(symbolType="circle", symbolSize=90)),
        )
    )  # fmt: skip
    numbers = (
        alt.Chart(rows([one for one in cells if has_numbers and not one["above"]]))
        .mark_text(fontSize=11 if step >= 34 else 9)
        .encode(x=x, y=y, text="text:N", tooltip=tips)
    )
    return finished(
        alt.layer(numbers, circles),
        size,
        title="How far indicators agree",
        about=_about(values),
        description=_description(values),
        height=min(640, 200 + int(min(max(step, 24), 40) * many)),
    )


def _cells(values: Correlations, named: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for a, down in enumerate(named):
        for b, across in enumerate(named):
            if a == b:
                continue
            value = plain(values.matrix[a, b])
            found.append(
                {
                    "down": down,
                    "across": across,
                    "first": shown(values.names[a]),
                    "second": shown(values.names[b]),
                    "value": value,
                    "strength": None if value is None else abs(value),
                    "sign": _SIGNS[value is not None and value < 0],
                    "text": correlation_text(value),
                    "samples": values.pairs[a, b],
                    "above": b > a,
                }
            )
    return found


def correlation_text(value: float | None) -> str:
    """Return a correlation as `+.27`, or a dash where there is none."""
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    if abs(value) < 0.005:
        return ".00"
    text = f"{value:+.2f}"
    return text.replace("0.", ".", 1).replace("-", "\N{MINUS SIGN}")


def _about(values: Correlations) -> list[str]:
    lines = ["Spearman's rank correlation; size: strength"]
    if values.left_out:
        lines.append(f"the first {len(values.names)}; {values.left_out} more are not shown")
    if not len(values.names):
        return ["there are no scores"]
    return lines


def _description(values: Correlations) -> str:
    m = len(values.names)
    upper = [(a, b) for a in range(m) for b in range(a + 1, m) if np.isfinite(values.matrix[a, b])]
    start = f"Rank correlations of {m} indicators."
    if not upper:
        return f"{start} No two of them can be compared."
    told = []
    for how, pick in (("highest", max), ("lowest", min)):
        a, b = pick(upper, key=lambda cell: float(values.matrix[cell]))
        told.append(
            f"{how} {values.matrix[a, b]:+.2f} between {shown(values.names[a], 60)} and "
            f"{shown(values.names[b], 60)}"
        )
    return f"{start} {told[0][0].upper()}{told[0][1:]}; {told[1]}."
