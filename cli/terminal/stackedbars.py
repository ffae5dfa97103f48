"""Draws win, tie and fail as stacked bars: the paper's Figure 1, in a terminal or as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

_BLOCKS = ("█", "▒", "░")
_NAMES = ("win", "tie", "fail")
_COLOURS = ("#2f6db5", "#c5ccd6", "#bf5b17")
_INKS = ("#ffffff", "#1f2933", "#ffffff")
_LONGEST = 40  # characters of a label

_LEFT, _WIDTH, _RIGHT = 190, 560, 30
_TOP, _BAR, _GAP, _LEGEND = 66, 30, 14, 44
_FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label and its three counts."""

    label: str
    win: int
    tie: int
    fail: int

    @property
    def counts(self) -> tuple[int, int, int]:
        """Win, tie, fail."""
        return self.win, self.tie, self.fail

    @property
    def total(self) -> int:
        """The number of pairs."""
        return sum(self.counts)


def text_bars(bars: Sequence[Bar], width: int = 50) -> list[str]:
    """Return a line for each bar, and a legend; every bar is `width` characters wide."""
    margin = max((len(bar.label) for bar in bars), default=0)
    lines = [
        f"{bar.label:<{margin}}  {_blocks(bar, width)}  "
        + ", ".join(f"{count} {name}" for count, name in zip(bar.counts, _NAMES, strict=True))
        for bar in bars
    ]
    legend = "  ".join(f"{block} {name}" for block, name in zip(_BLOCKS, _NAMES, strict=True))
    return [*lines, f"{'':<{margin}}  {legend}"]


def _blocks(bar: Bar, width: int) -> str:
    """Return the blocks of a bar, rounded so that their number is always `width`."""
    if not bar.total:
        return " " * width
    line, total, drawn = "", 0, 0
    for block, count in zip(_BLOCKS, bar.counts, strict=True):
        total += count
        end = round(width * total / bar.total)
        line += block * (end - drawn)
        drawn = end
    return line


def svg(bars: Sequence[Bar], title: str) -> str:
    """Return an SVG document of the bars, all of equal width.

    Any text is allowed: it is shortened, escaped, and characters that XML forbids are replaced.
    """
    height = _TOP + len(bars) * (_BAR + _GAP) + _LEGEND
    full = _LEFT + _WIDTH + _RIGHT
    size = f"width='{full}' height='{height}' viewBox='0 0 {full} {height}'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img'>",
        f"<title>{_safe(title, 200)}</title>",
        f"<rect width='{full}' height='{height}' fill='#ffffff'/>",
        _text(full / 2, 34, title, 16, "middle", longest=80, bold=True),
    ]
    for n, bar in enumerate(bars):
        parts += _bar(bar, _TOP + n * (_BAR + _GAP))
    parts += _legend(_TOP + len(bars) * (_BAR + _GAP) + 10)
    return "\n".join([*parts, "</svg>", ""])


def _bar(bar: Bar, y: float) -> list[str]:
    middle = y + _BAR / 2 + 5
    parts = [_text(_LEFT - 12, middle, bar.label, 13, "end", longest=24)]
    x = float(_LEFT)
    for count, colour, ink in zip(bar.counts, _COLOURS, _INKS, strict=True):
        wide = _WIDTH * count / bar.total if bar.total else 0.0
        if count:
            parts.append(
                f"<rect x='{x:.2f}' y='{y}' width='{wide:.2f}' height='{_BAR}' fill='{colour}'/>"
            )
        if wide >= 9 * len(f"{count:,}") + 4:
            parts.append(_text(x + wide / 2, middle, f"{count:,}", 13, "middle", ink=ink))
        x += wide
    return parts


def _legend(y: float) -> list[str]:
    parts = []
    for n, (name, colour) in enumerate(zip(_NAMES, _COLOURS, strict=True)):
        x = _LEFT + n * 90
        parts.append(f"<rect x='{x}' y='{y}' width='14' height='14' fill='{colour}'/>")
        parts.append(_text(x + 21, y + 12, name, 13, "start"))
    return parts


def _text(
    x: float, y: float, text: str, size: int, anchor: str, *,
    ink: str = "#1f2933", longest: int = _LONGEST, bold: bool = False,
) -> str:  # fmt: skip
    weight = " font-weight='bold'" if bold else ""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}'{weight} {_FONT} fill='{ink}' "
        f"text-anchor='{anchor}'>{_safe(text, longest)}</text>"
    )


def _safe(text: Any, longest: int) -> str:
    """Return text as one line of valid XML text, no longer than `longest` characters."""
    line = " ".join(str(text).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    printable = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return escape(printable)
