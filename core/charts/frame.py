"""What all charts have: a title, a text for those who do not see it, a size, and values as rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from ig4.core.charts.library import altair

Chart: TypeAlias = Any
"""A chart of Altair: `alt.Chart`, `alt.LayerChart`, or several of them together."""

WIDTH = 700
"""The width of a chart in a file, in pixels, unless it is told."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a chart is, all that is around it included, in pixels.

    "container" fits the width to what holds the chart on a page. A `height` of None is what the
    rows of the chart need.
    """

    width: int | Literal["container"] = "container"
    height: int | None = None

    @property
    def room(self) -> int:
        """How many pixels there are to lay panels out in."""
        return WIDTH if self.width == "container" else self.width


_CHANNELS = ("color", "shape", "size", "opacity", "strokeDash")

PAGE = Size()
FILE = Size(WIDTH)


def rows(values: Iterable[Mapping[str, Any]]) -> Any:
    """Return rows as data of a chart; numbers of numpy become plain ones, NaN becomes null."""
    return altair().Data(values=[{key: plain(one) for key, one in row.items()} for row in values])


def plain(value: Any) -> Any:
    """Return a value as JSON has it; a float to nine digits, which no screen can tell apart."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    return value


def finished(
    chart: Chart,
    size: Size,
    *,
    title: str,
    description: str,
    height: int,
    about: Sequence[str] = (),
) -> Chart:
    """Give a chart its title, `about` as lines below it, its description and its size."""
    alt = altair()
    lines = {"subtitle": list(about)} if about else {}
    return chart.properties(
        title=alt.TitleParams(text=title, **lines),
        description=description,
        width=size.width,
        height=size.height or height,
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
    )


def panels(charts: Sequence[Chart], *, description: str, columns: int = 1, axis: int = 80) -> Chart:
    """Put finished charts beside and below each other; a page shows them one by one instead.

    `axis` is how many pixels of the width are taken by what is left of the plots.
    """
    alt = altair()
    # Only a chart that stands alone can be fitted to a size with all that is around it.
    bare = [_unfitted(chart, axis) for chart in charts]
    if len(bare) == 1:
        return charts[0]
    together = alt.concat(*bare, columns=columns, spacing=28, description=description)
    return together.resolve_scale(**dict.fromkeys(_CHANNELS, "independent"))


def _unfitted(chart: Chart, axis: int) -> Chart:
    found = chart.copy(deep=False)
    found.autosize = altair().Undefined
    found.width = max(120, (found.width if isinstance(found.width, int) else WIDTH) - axis)
    found.height = max(60, int(found.height) - 110)
    found.title = found.title.copy()
    found.title.frame = "group"  # plots are aligned, what is around them is not
    return found


def axis_height(bars: int, each: int = 24) -> int:
    """Return the height of a chart of horizontal bars, with what is above and below them."""
    return 104 + each * max(1, bars)


def share(part: float, whole: float) -> float:
    """Return a part in percent; 0 of nothing."""
    return 100.0 * part / whole if whole else 0.0


def percent_text(part: float, whole: float) -> str:
    """Return a part of a whole as text: "6 %"."""
    value = share(part, whole)
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %"


def number_text(value: float | None) -> str:
    """Return a number as a sentence can say it, "none" if there is none."""
    if value is None or not math.isfinite(value):
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1_000 and value == round(value) else f"{value:.4g}"
