"""Pictures of characters: bars, curves, maps; in ASCII where a terminal has no blocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import numpy as np

from ig4.core.charts.names import columns, short

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLUE, _ORANGE, _DIM, _END = "\x1b[34m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character
_LEAST, _MOST = 40, 120  # columns of a picture


@dataclass(frozen=True, slots=True)
class Pen:
    """What a terminal can show: how wide it is, whether it has blocks, and whether colours."""

    width: int = 80
    blocks: bool = True
    colours: bool = False

    @property
    def heights(self) -> str:
        """Characters from empty to full, for columns."""
        return " ▁▂▃▄▅▆▇█" if self.blocks else " .:-=+*#@"

    @property
    def stack(self) -> tuple[str, str, str]:
        """Three characters that can be told apart, for the parts of a bar."""
        return ("█", "▒", "░") if self.blocks else ("#", "=", ".")

    @property
    def mark(self) -> str:
        """The mark of what is selected."""
        return "◆" if self.blocks else "O"

    def selected(self, text: str) -> str:
        """Return a text in the colour of what is selected."""
        return f"{_BLUE}{text}{_END}" if self.colours and text.strip() else text

    def second(self, text: str) -> str:
        """Return a text in the colour of the second of two, and of lines."""
        return f"{_ORANGE}{text}{_END}" if self.colours and text.strip() else text

    def quiet(self, text: str) -> str:
        """Return a text that stands back."""
        return f"{_DIM}{text}{_END}" if self.colours and text.strip() else text


def pen_for(stream: TextIO) -> Pen:
    """Return what can be drawn on a stream; pipes and NO_COLOR get no colours."""
    try:
        "█▁▒◆⣿├┤●".encode(stream.encoding or "ascii")
        blocks = True
    except (UnicodeEncodeError, LookupError):
        blocks = False
    wide = min(_MOST, max(_LEAST, shutil.get_terminal_size().columns - 1))
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Pen(wide, blocks, stream.isatty() and not plain)


def padded(text: str, width: int) -> str:
    """Return a text `width` columns wide, shortened if it is longer."""
    text = short(text, width)
    return text + " " * (width - columns(text))


def bar(pen: Pen, value: float, most: float, width: int) -> str:
    """Return a bar as long as a value is of `most`; what is above 0 has a character at least."""
    if not value > 0 or not most > 0:
        return ""
    length = max(1, round(width * min(1.0, value / most)))
    return pen.stack[0] * length


def stacked(pen: Pen, counts: Sequence[int], total: int, width: int) -> str:
    """Return the parts of a bar side by side; together as long as their sum is of `total`."""
    drawn, summed, line = 0, 0, ""
    paint = (pen.selected, pen.quiet, pen.second)
    for count, sign, painted in zip(counts, pen.stack, paint, strict=True):
        summed += count
        end = round(width * summed / total) if total else 0
        line += painted(sign * (end - drawn))
        drawn = end
    return line


def towers(pen: Pen, values: Sequence[float], rows: int, wide: int = 1) -> list[str]:
    """Return columns as high as values, the highest `rows` lines high; each `wide` characters."""
    top = max(values, default=0.0)
    steps = len(pen.heights) - 1
    lines = []
    for row in range(rows - 1, -1, -1):
        line = ""
        for value in values:
            level = 0 if not top > 0 else round(steps * rows * value / top)
            level = max(1, level) if value > 0 else 0  # a single sample is to be seen
            line += pen.heights[min(steps, max(0, level - steps * row))] * wide
        lines.append(line.rstrip())
    return lines


def interval(
    pen: Pen, low: float, middle: float, high: float, span: tuple[float, float], width: int
) -> str:
    """Return a line from `low` to `high` with a mark at `middle`, on an axis over `span`."""
    start, end = span
    scale = (width - 1) / (end - start) if end > start else 0.0
    places = [round((min(max(one, start), end) - start) * scale) for one in (low, middle, high)]
    line = [" "] * width
    ends, through, mark = (("├", "┤"), "─", "●") if pen.blocks else (("|", "|"), "-", "o")
    for place in range(places[0], places[2] + 1):
        line[place] = through
    if places[2] > places[0]:
        line[places[0]], line[places[2]] = ends
    line[places[1]] = mark
    return "".join(line).rstrip()


def dotted(
    pen: Pen, points: NDArray[np.float64], marked: NDArray[np.bool_], rows: int
) -> tuple[list[str], bool]:
    """Return a map of points (n, 2), one of them `rows` lines high, and whether marks are rare.

    Cells in which points are `marked` (n,) have a mark; where that were more than a third of all
    cells with points, only those in which marked points are more frequent than in the whole.
    """
    wide = pen.width - 2
    if not len(points):
        return [], True
    low, high = points.min(axis=0), points.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    place = (points - low) / spread
    x = np.minimum((place[:, 0] * wide * 2).astype(np.int64), wide * 2 - 1)
    y = np.minimum(((1 - place[:, 1]) * rows * 4).astype(np.int64), rows * 4 - 1)
    cells = np.zeros((rows, wide), dtype=np.int64)
    chosen = np.zeros_like(cells)
    np.add.at(cells, (y // 4, x // 2), 1)
    np.add.at(chosen, (y[marked] // 4, x[marked] // 2), 1)
    dots = np.zeros_like(cells)
    np.bitwise_or.at(dots, (y // 4, x // 2), np.array(_DOTS)[y % 4, x % 2])
    shown = chosen > 0
    is_rare = int(shown.sum()) * 3 <= int((cells > 0).sum())
    if not is_rare:
        shown = chosen * len(points) > cells * int(marked.sum())
    most = int(cells.max())
    lines = []
    for row in range(rows):
        line = ""
        for column in range(wide):
            if shown[row, column]:
                line += pen.selected(pen.mark)
            elif pen.blocks:
                code = int(dots[row, column])
                line += pen.quiet(chr(0x2800 + code)) if code else " "
            else:
                line += _shade(int(cells[row, column]), most)
        lines.append(line.rstrip())
    return lines, is_rare


def _shade(count: int, most: int) -> str:
    """Return a character the darker the larger the logarithm of a count is."""
    if not count:
        return " "
    return ".:+*#"[min(4, int(4 * np.log(count) / np.log(max(2, most))))]
