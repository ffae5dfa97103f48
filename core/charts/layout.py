"""Room for texts: beside bars, in legends, and on axes. Charts do not know how wide a page is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ig4.core.charts.library import altair
from ig4.core.charts.names import columns

if TYPE_CHECKING:
    from ig4.core.charts.frame import Size

_LETTER = 5.6  # pixels of a letter, about
_NARROW = 360  # the width that what fits a page has to fit: a telephone
_SYMBOL = 40  # pixels of a symbol in a legend, with what is around it
_AXIS = 60  # pixels of an axis without its labels


def room(size: Size) -> int:
    """Return how wide a chart is in pixels, on a page at least."""
    return _NARROW if size.width == "container" else size.width


def headroom(size: Size, texts: Sequence[str], named: Sequence[str]) -> float:
    """Return how much longer than the longest bar an axis must be for a text beside the bar."""
    longest = max(map(columns, texts), default=0) * _LETTER + 10
    plot = room(size) - _AXIS - max(map(columns, named), default=0) * _LETTER
    return 1.0 / max(0.35, 1.0 - longest / max(plot, longest + 60))


def ticks(most: float, size: Size) -> list[float]:
    """Return round numbers from 0 to `most`, as many as there is room for on an axis."""
    count = 6 if room(size) >= 500 else 3
    if not most > 0:
        return [0]
    power = 10.0 ** math.floor(math.log10(most / count))
    step = next(one * power for one in (1, 2, 5, 10) if most / (one * power) <= count)
    found = [round(n * step, 12) for n in range(math.floor(most / step + 1e-9) + 1)]
    return [int(one) if one == int(one) else one for one in found]


def whole_ticks(most: float, size: Size) -> list[float]:
    """Return `ticks` that are whole numbers, for an axis that counts."""
    return [one for one in ticks(most, size) if one == int(one)]


def legend(size: Size, named: Sequence[str], **options: Any) -> Any:
    """Return a legend without a title that breaks into lines where it would be too wide."""
    longest = max(map(columns, named), default=1) * _LETTER + _SYMBOL
    fitting = max(1, int((room(size) - 70) // longest))
    return altair().Legend(title=None, columns=min(fitting, max(1, len(named))), **options)


def legend_height(size: Size, named: Sequence[str]) -> int:
    """Return the height in pixels of the lines of a legend after the first."""
    longest = max(map(columns, named), default=1) * _LETTER + _SYMBOL
    fitting = max(1, int((room(size) - 70) // longest))
    return 18 * (math.ceil(len(named) / fitting) - 1) if named else 0
