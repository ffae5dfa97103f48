"""Pictures of the arena as SVG: intervals of differences, and lines over budgets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_COLOURS = {
    "ahead": "#1b7837", "behind": "#b2182b", "not inferior": "#2166ac", "undecided": "#767676",
}  # fmt: skip
_SERIES = ("#767676", "#2166ac", "#1b7837", "#b2182b", "#762a83", "#8c510a")
_ROW, _LEFT, _WIDTH, _TOP, _BOTTOM = 22, 150, 640, 40, 46
_FONT = 'font-family="sans-serif" font-size="12"'


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its 95 % interval, and what it is called."""

    name: str
    middle: float
    low: float
    high: float
    verdict: str


def intervals(title: str, rows: Sequence[Interval], axis: str) -> str:
    """Return differences as points with intervals, one below the other, around a line at 0."""
    low = min([0.0, *(row.low for row in rows)])
    high = max([0.0, *(row.high for row in rows)])
    step = _step(high - low)
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    if low == high:
        high = low + step
    height = _TOP + _ROW * len(rows) + _BOTTOM

    def x(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - 20)

    bottom = _TOP + _ROW * len(rows)
    parts = [_text(10, 20, title, "bold")]
    for n in range(round((high - low) / step) + 1):
        value = low + n * step
        dash = "" if abs(value) < step / 1000 else ' stroke-dasharray="2 3"'
        parts.append(_line(x(value), _TOP - 8, x(value), bottom, "#999999", more=dash))
        parts.append(_text(x(value), bottom + 16, f"{value:g}", anchor="middle"))
    parts.append(_text((_LEFT + _WIDTH) / 2, bottom + 36, axis, anchor="middle"))
    for n, row in enumerate(rows):
        y = _TOP + _ROW * n + 8
        colour = _COLOURS.get(row.verdict, "#333333")
        parts.append(_text(_LEFT - 10, y + 4, row.name, anchor="end"))
        parts.append(_line(x(row.low), y, x(row.high), y, colour, 2))
        parts.append(f'<circle cx="{x(row.middle):.1f}" cy="{y}" r="4" fill="{colour}"/>')
    return _picture(_WIDTH, height, parts)


def lines(title: str, series: Mapping[str, Mapping[int, float]], axes: tuple[str, str]) -> str:
    """Return values over budgets, which stand on a logarithmic axis; `axes` name x and y."""
    budgets = sorted({one for values in series.values() for one in values})
    every = [value for values in series.values() for value in values.values()]
    step = _step(max(every) - min(every))
    low, high = step * math.floor(min(every) / step), step * math.ceil(max(every) / step)
    if low == high:
        high = low + step
    left, right, bottom = 60, _WIDTH - 130, 300

    def x(budget: int) -> float:
        first, last = math.log(budgets[0]), math.log(budgets[-1])
        share = 0.5 if first == last else (math.log(budget) - first) / (last - first)
        return left + share * (right - left)

    def y(value: float) -> float:
        return bottom - (value - low) / (high - low) * (bottom - _TOP)

    parts = [_text(10, 20, title, "bold")]
    for n in range(round((high - low) / step) + 1):
        value = low + n * step
        parts.append(_line(left, y(value), right, y(value), "#dddddd"))
        parts.append(_text(left - 8, y(value) + 4, f"{value:g}", anchor="end"))
    parts += [_text(x(budget), bottom + 18, str(budget), anchor="middle") for budget in budgets]
    parts.append(_text((left + right) / 2, bottom + 38, f"{axes[0]} ({axes[1]} above)",
                       anchor="middle"))  # fmt: skip
    for n, (name, values) in enumerate(series.items()):
        colour = _SERIES[n % len(_SERIES)]
        points = [(x(budget), y(values[budget])) for budget in sorted(values)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3" fill="{colour}"/>' for a, b in points]
        key = _TOP + 10 + 18 * n
        parts.append(_line(right + 20, key, right + 40, key, colour, 2))
        parts.append(_text(right + 46, key + 4, name))
    return _picture(_WIDTH, bottom + 50, parts)


def _step(span: float) -> float:
    """Return a round distance of marks, of which about six make the span."""
    if span <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(span / 6))
    return next(one * size for one in (1, 2, 5, 10) if one * size >= span / 6)


def _text(x: float, y: float, text: str, weight: str = "normal", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" {_FONT} font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="#222222">{escape(text)}</text>'
    )


def _line(
    x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1, more: str = ""
) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{more}/>'
    )


def _picture(width: int, height: int, parts: Sequence[str]) -> str:
    inside = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">\n<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f"{inside}\n</svg>\n"
    )
