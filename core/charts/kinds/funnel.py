"""From all samples to the selected ones: how many each stage leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ig4.core.charts.frame import PAGE, Chart, Size, axis_height, finished, rows
from ig4.core.charts.layout import headroom, whole_ticks
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, shown
from ig4.core.charts.palette import REST, SELECTED

_STAYED, _CHOSEN = "still there", "selected"


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """A step: what it is called, and how many samples are left after it."""

    name: str
    left: int


def funnel_dict(values: Sequence[FunnelStep]) -> dict[str, Any]:
    """Return the values, JSON-able."""
    return {"steps": [asdict(one) for one in values]}


def funnel_chart(values: Sequence[FunnelStep], size: Size = PAGE) -> Chart:
    """Draw a bar for what each step leaves; the last step is the selection."""
    alt = altair()
    named = labels([one.name for one in values])
    before = [None, *(one.left for one in values[:-1])] if values else []
    last = len(values) - 1
    data = rows(
        {
            "label": label,
            "name": shown(one.name),
            "left": one.left,
            "out": 0 if came is None else came - one.left,
            "who": _CHOSEN if n == last else _STAYED,
            "text": step_text(one.left, came),
        }
        for n, (label, one, came) in enumerate(zip(named, values, before, strict=True))
    )
    y = alt.Y("label:N", title="step", sort=named, scale=alt.Scale(domain=named))
    most = max((one.left for one in values), default=1)
    told = [step_text(one.left, came) for one, came in zip(values, before, strict=True)]
    room = headroom(size, told, named)
    base = alt.Chart(data)
    # Room to the right for the text beside the longest bar.
    x = alt.X("left:Q", title="samples", scale=alt.Scale(domain=[0, max(1, most) * room]),
              axis=alt.Axis(values=whole_ticks(most, size)))  # fmt: skip
    bars = base.mark_bar(size=16).encode(
        x=x, y=y,
        color=alt.Color("who:N", title=None, legend=alt.Legend(symbolType="square"),
                        scale=alt.Scale(domain=[_STAYED, _CHOSEN], range=[REST, SELECTED])),
        tooltip=[alt.Tooltip("name:N", title="step"),
                 alt.Tooltip("left:Q", title="samples left", format=","),
                 alt.Tooltip("out:Q", title="left out here", format=",")],
    )  # fmt: skip
    texts = base.mark_text(align="left", dx=4).encode(x=x, y=y, text="text:N")
    return finished(
        alt.layer(bars, texts),
        size,
        title="From all samples to the selection",
        description=_description(values),
        height=axis_height(len(values), 28),
    )


def step_text(left: int, came: int | None) -> str:
    """Return what a step left and took away, as `3,319`, with `(-120)` after it."""
    out = 0 if came is None else came - left
    return f"{left:,} (\N{MINUS SIGN}{out:,})" if out > 0 else f"{left:,}"


def _description(values: Sequence[FunnelStep]) -> str:
    steps = ", ".join(f"{shown(one.name, 60)} {one.left:,}" for one in values)
    return f"Samples left after each step: {steps or 'none'}."
