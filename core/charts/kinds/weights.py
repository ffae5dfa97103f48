"""What weights are worth: the weight that was given, beside what it decides of the final score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ig4.core.charts.frame import PAGE, Chart, Size, axis_height, finished, rows
from ig4.core.charts.layout import headroom, legend, legend_height, ticks
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, shown
from ig4.core.charts.palette import ACCENT, SELECTED

_GIVEN, _WORTH = "weight given", "worth (weight times spread)"


@dataclass(frozen=True, slots=True)
class WeightShare:
    """An indicator: its weight, and its shares (0 to 1) of all |weights| and of all effects."""

    name: str
    weight: float
    given: float
    worth: float


def weight_shares(effective: Mapping[str, Mapping[str, Any]]) -> tuple[WeightShare, ...]:
    """Return the shares of the `effective_weights` of a selection's report, the largest first."""
    total = sum(abs(float(one["weight"])) for one in effective.values())
    found = [
        WeightShare(
            name,
            float(one["weight"]),
            abs(float(one["weight"])) / total if total else 0.0,
            float(one["share"]),
        )
        for name, one in effective.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.worth))


def weights_dict(values: Sequence[WeightShare]) -> dict[str, Any]:
    """Return the values, JSON-able."""
    return {"indicators": [asdict(one) for one in values]}


def weight_chart(values: Sequence[WeightShare], size: Size = PAGE) -> Chart:
    """Draw a bar for what each indicator is worth, and a diamond for the weight it was given."""
    alt = altair()
    named = labels([one.name for one in values])
    most = 100 * max((max(one.given, one.worth) for one in values), default=1.0)
    texts = [f"{100 * one.worth:.0f} %" for one in values]
    data = rows(
        {
            "label": label,
            "worth_is": _WORTH,
            "given_is": _GIVEN,
            "name": shown(one.name),
            "weight": one.weight,
            "given": 100 * one.given,
            "worth": 100 * one.worth,
            "end": 100 * max(one.given, one.worth),
            "text": text,
        }
        for label, one, text in zip(named, values, texts, strict=True)
    )
    scale = alt.Scale(domain=[_WORTH, _GIVEN], range=[SELECTED, ACCENT])
    shapes = alt.Scale(domain=[_WORTH, _GIVEN], range=["square", "diamond"])
    y = alt.Y("label:N", title="indicator", sort=named, scale=alt.Scale(domain=named))
    x = {"title": "share (%)", "axis": alt.Axis(values=ticks(most, size)),
         "scale": alt.Scale(domain=[0, most * headroom(size, texts, named)])}  # fmt: skip
    key = legend(size, [_WORTH, _GIVEN])
    tips = [
        alt.Tooltip("name:N", title="indicator"),
        alt.Tooltip("weight:Q", title="weight", format=".4g"),
        alt.Tooltip("given:Q", title="given (%)", format=".1f"),
        alt.Tooltip("worth:Q", title="worth (%)", format=".1f"),
    ]
    base = alt.Chart(data)
    bars = base.mark_bar(size=12).encode(
        x=alt.X("worth:Q", **x), y=y, tooltip=tips,
        color=alt.Color("worth_is:N", title=None, scale=scale,
                        legend=key),
    )  # fmt: skip
    numbers = base.mark_text(align="left", dx=8).encode(x=alt.X("end:Q", **x), y=y, text="text:N")
    marks = base.mark_point(size=90, filled=True, opacity=1).encode(
        x=alt.X("given:Q", **x), y=y, tooltip=tips,
        color=alt.Color("given_is:N", title=None, scale=scale, legend=key),
        shape=alt.Shape("given_is:N", title=None, scale=shapes, legend=key),
    )  # fmt: skip
    return finished(
        alt.layer(bars, numbers, marks),
        size,
        title="What each weight is worth",
        about=[] if values else ["the selection counts no scores"],
        description=_description(values),
        height=axis_height(len(values), 28) + legend_height(size, [_WORTH, _GIVEN]),
    )


def _description(values: Sequence[WeightShare]) -> str:
    if not values:
        return "What each weight is worth: the selection counts no scores."
    told = "; ".join(
        f"{shown(one.name, 60)} is worth {one.worth:.0%} of the final score, given {one.given:.0%}"
        for one in values[:6]
    )
    return f"What each weight is worth: {told}."
