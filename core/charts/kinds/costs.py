"""What was paid for, and what took long: US dollars and seconds by component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ig4.core.charts.frame import PAGE, Chart, Size, axis_height, finished, panels, rows
from ig4.core.charts.layout import headroom, ticks
from ig4.core.charts.library import altair
from ig4.core.charts.names import columns, labels, shown
from ig4.core.charts.palette import ACCENT, SELECTED
from ig4.core.counts import counted

MOST = 20


@dataclass(frozen=True, slots=True)
class CostValue:
    """What calls of language models cost, in US dollars; `unpriced` calls have no known price."""

    name: str
    calls: int
    cost: float
    unpriced: int = 0


@dataclass(frozen=True, slots=True)
class TimeValue:
    """How many seconds a component worked, and on how many units (samples, pairs, calls)."""

    name: str
    seconds: float
    units: int


@dataclass(frozen=True, slots=True)
class Spending:
    """Costs by what the calls are grouped by (`by`), and times by component."""

    by: str
    costs: tuple[CostValue, ...]
    times: tuple[TimeValue, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        return {
            "by": self.by,
            "costs": [asdict(one) for one in self.costs],
            "times": [asdict(one) for one in self.times],
        }


def cost_chart(by: str, values: Sequence[CostValue], size: Size = PAGE) -> Chart:
    """Draw a bar for what the calls of each group cost."""
    data = [
        {"name": one.name, "value": one.cost, "calls": one.calls,
         "text": f"${one.cost:,.2f}" + (f", {one.unpriced:,} without a price" if one.unpriced
                                        else "")}
        for one in values
    ]  # fmt: skip
    total = sum(one.cost for one in values)
    calls = sum(one.calls for one in values)
    return _bars(
        data, size, title="Costs of calls", axis="US dollars", kind=by, colour=ACCENT,
        about=f"${total:,.2f} for {counted(calls, 'call')}",
        description=f"Costs by {by}: ${total:,.2f} for {counted(calls, 'call')}"
        + _most(data, "$"), more="calls", number="$,.4f",
    )  # fmt: skip


def time_chart(values: Sequence[TimeValue], size: Size = PAGE) -> Chart:
    """Draw a bar for how long each component worked."""
    data = [
        {"name": one.name, "value": one.seconds, "units": one.units,
         "text": duration_text(one.seconds)}
        for one in values
    ]  # fmt: skip
    total = sum(one.seconds for one in values)
    return _bars(
        data, size, title="Working time", axis="seconds", kind="component", colour=SELECTED,
        about=f"{duration_text(total)} in all",
        description=f"Working time by component: {duration_text(total)}" + _most(data, ""),
        more="units", number=",.1f",
    )  # fmt: skip


def spending_charts(values: Spending, size: Size = PAGE) -> Chart:
    """Draw costs, and below them times; what there is none of is left out."""
    charts = spending_panels(values, size)
    named = labels([*(one.name for one in values.costs), *(one.name for one in values.times)])
    return panels(
        charts,
        description=" ".join(str(one.description) for one in charts),
        axis=70 + 6 * max(map(columns, named), default=0),
    )


def spending_panels(values: Spending, size: Size = PAGE) -> list[Chart]:
    """Draw costs and times as charts of their own; what there is none of is left out."""
    charts = []
    if values.costs or not values.times:
        charts.append(cost_chart(values.by, values.costs, size))
    if values.times:
        charts.append(time_chart(values.times, size))
    return charts


def duration_text(seconds: float) -> str:
    """Return a time as `1 h 05 min`, `2 min 03 s` or `4.2 s`."""
    if seconds < 1:
        return f"{seconds:.2g} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def _bars(
    data: Sequence[dict[str, Any]],
    size: Size,
    *,
    title: str,
    axis: str,
    kind: str,
    colour: str,
    about: str,
    description: str,
    more: str,
    number: str,
) -> Chart:
    alt = altair()
    drawn = data[:MOST]
    named = labels([one["name"] for one in drawn])
    most = max((float(one["value"]) for one in drawn), default=1.0) or 1.0
    room = headroom(size, [one["text"] for one in drawn], named)
    x = alt.X(
        "value:Q",
        title=axis,
        scale=alt.Scale(domain=[0, most * room]),
        axis=alt.Axis(values=ticks(most, size)),
    )
    y = alt.Y("label:N", title=kind, sort=named, scale=alt.Scale(domain=named))
    base = alt.Chart(
        rows(
            {**one, "label": label, "name": shown(one["name"])}
            for label, one in zip(named, drawn, strict=True)
        )
    )
    bars = base.mark_bar(size=16, color=colour).encode(
        x=x, y=y,
        tooltip=[alt.Tooltip("name:N", title=kind), alt.Tooltip("value:Q", title=axis,
                                                                format=number),
                 alt.Tooltip(f"{more}:Q", title=more, format=",")],
    )  # fmt: skip
    texts = base.mark_text(align="left", dx=4).encode(x=x, y=y, text="text:N")
    lines = [about]
    if len(data) > MOST:
        lines.append(f"the largest {MOST} of {len(data)}")
    return finished(
        alt.layer(bars, texts), size, title=title, about=lines, description=f"{description}.",
        height=axis_height(len(drawn), 27),
    )  # fmt: skip


def _most(data: Sequence[dict[str, Any]], unit: str) -> str:
    if not data:
        return ""
    one = max(data, key=lambda row: float(row["value"]))
    value = f"${one['value']:,.2f}" if unit else duration_text(one["value"])
    return f"; most of it by {shown(one['name'], 60)}, {value}"
