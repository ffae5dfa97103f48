"""What models achieved: values on benchmarks, and the arms of an ablation with their spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ig4.core.charts.frame import PAGE, Chart, Size, axis_height, finished, number_text, rows
from ig4.core.charts.layout import legend, legend_height
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, short, shown
from ig4.core.charts.palette import REST, SELECTED, SERIES, SHAPES
from ig4.core.counts import counted

MOST = 30
"""So many rows at most are drawn."""


@dataclass(frozen=True, slots=True)
class BenchmarkValue:
    """A model on a benchmark, in points (a share times 100); `low`, `high`: 95 %, or None."""

    benchmark: str
    metric: str
    model: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ArmValue:
    """An arm of an ablation: the mean over its seeds, their deviation, and the single values.

    All are in the unit of the ablation's tables. `is_reference` is the arm that others are
    compared with.
    """

    arm: str
    mean: float
    deviation: float | None
    seeds: tuple[float, ...]
    is_reference: bool = False


def benchmarks_dict(values: Sequence[BenchmarkValue]) -> dict[str, Any]:
    """Return the values, JSON-able."""
    return {"evaluations": [asdict(one) for one in values]}


def arms_dict(column: str, values: Sequence[ArmValue]) -> dict[str, Any]:
    """Return the values, JSON-able."""
    return {"column": column, "arms": [asdict(one) | {"seeds": list(one.seeds)} for one in values]}


def benchmark_chart(values: Sequence[BenchmarkValue], size: Size = PAGE) -> Chart:
    """Draw a row for each benchmark, with a mark for each model and its interval if there is one.

    Six models have a colour and shape of their own; further ones are grey and told apart by their
    tooltips.
    """
    alt = altair()
    named = dict.fromkeys((one.benchmark, one.metric) for one in values)
    pairs = list(named)[:MOST]
    rows_named = dict(zip(pairs, labels([f"{name} ({metric})" for name, metric in pairs], 26),
                          strict=True))  # fmt: skip
    models = list(dict.fromkeys(one.model for one in values))
    models_named = dict(zip(models, labels(models), strict=True))
    data = rows(
        {
            "label": rows_named[one.benchmark, one.metric],
            "name": f"{shown(one.benchmark)} ({shown(one.metric)})",
            "model": models_named[one.model],
            "whole": shown(one.model),
            "value": one.value,
            "low": one.value if one.low is None else one.low,
            "high": one.value if one.high is None else one.high,
        }
        for one in values
        if (one.benchmark, one.metric) in rows_named
    )
    domain = list(models_named.values())
    colours = [SERIES[n] if n < len(SERIES) else REST for n in range(len(domain))]
    shapes = [SHAPES[n % len(SHAPES)] for n in range(len(domain))]
    sort = list(rows_named.values())
    y = alt.Y("label:N", title="benchmark (metric)", sort=sort, scale=alt.Scale(domain=sort))
    offset = alt.YOffset("model:N", sort=domain, scale=alt.Scale(domain=domain))
    key = legend(size, domain, symbolSize=80)
    tips = [
        alt.Tooltip("name:N", title="benchmark"),
        alt.Tooltip("whole:N", title="model"),
        alt.Tooltip("value:Q", title="value", format=".4g"),
        alt.Tooltip("low:Q", title="at least", format=".4g"),
        alt.Tooltip("high:Q", title="at most", format=".4g"),
    ]
    colour = alt.Color("model:N", scale=alt.Scale(domain=domain, range=colours), legend=key)
    base = alt.Chart(data)
    x = {"title": "value (points)", "scale": alt.Scale(zero=False, nice=True)}
    rules = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", **x), x2="high:Q", y=y, yOffset=offset, color=colour
    )
    marks = base.mark_point(filled=True, size=80, opacity=1).encode(
        x=alt.X("value:Q", **x), y=y, yOffset=offset, color=colour, tooltip=tips,
        shape=alt.Shape("model:N", scale=alt.Scale(domain=domain, range=shapes), legend=key),
    )  # fmt: skip
    about = ["line: 95 % interval"] if any(one.low is not None for one in values) else []
    if len(named) > MOST:
        about.append(f"the first {MOST} of {len(named)} benchmarks")
    each = max(26, 13 * min(len(domain), 8))
    return finished(
        alt.layer(rules, marks),
        size,
        title="Benchmarks",
        about=about,
        description=_benchmarks_told(values),
        height=axis_height(len(pairs), each) + legend_height(size, domain),
    )


def ablation_chart(column: str, values: Sequence[ArmValue], size: Size = PAGE) -> Chart:
    """Draw the mean of each arm with one standard deviation to both sides, and its seeds."""
    alt = altair()
    drawn = values[:MOST]
    named = labels([one.arm for one in drawn])
    kinds = ["reference", "other arm"]
    data, ticks = [], []
    for label, one in zip(named, drawn, strict=True):
        spread = one.deviation or 0.0
        data.append(
            {
                "label": label,
                "name": shown(one.arm),
                "mean": one.mean,
                "deviation": one.deviation,
                "low": one.mean - spread,
                "high": one.mean + spread,
                "seeds": len(one.seeds),
                "kind": kinds[not one.is_reference],
                "text": f"{one.mean:.2f}",
            }
        )
        ticks += [{"label": label, "value": value} for value in one.seeds]
    y = alt.Y("label:N", title="arm", sort=named, scale=alt.Scale(domain=named))
    x = {"title": f"{short(column, 30)} (points)", "scale": alt.Scale(zero=False, nice=True)}
    colour = alt.Color("kind:N", title=None,
                       scale=alt.Scale(domain=kinds, range=[SELECTED, REST]))  # fmt: skip
    base = alt.Chart(rows(data))
    rules = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", **x), x2="high:Q", y=y,
                                                 color=colour)  # fmt: skip
    marks = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("mean:Q", **x), y=y, color=colour,
        shape=alt.Shape("kind:N", title=None,
                        scale=alt.Scale(domain=kinds, range=["diamond", "circle"])),
        tooltip=[alt.Tooltip("name:N", title="arm"),
                 alt.Tooltip("mean:Q", title="mean", format=".2f"),
                 alt.Tooltip("deviation:Q", title="standard deviation", format=".2f"),
                 alt.Tooltip("seeds:Q", title="seeds")],
    )  # fmt: skip
    texts = base.mark_text(dy=-11, fontSize=10).encode(x=alt.X("mean:Q", **x), y=y, text="text:N")
    seeds = (
        alt.Chart(rows(ticks))
        .mark_tick(thickness=1.5, size=9, opacity=0.7, color=REST)
        .encode(x=alt.X("value:Q", **x), y=y,
                tooltip=[alt.Tooltip("value:Q", title="one seed", format=".2f")])
    )  # fmt: skip
    about = ["mean ± standard deviation; ticks: single seeds"]
    if len(values) > MOST:
        about.append(f"the first {MOST} of {len(values)} arms")
    return finished(
        alt.layer(seeds, rules, marks, texts),
        size,
        title="Ways to select",
        about=about,
        description=_arms_told(column, values),
        height=axis_height(len(drawn), 34),
    )


def _benchmarks_told(values: Sequence[BenchmarkValue]) -> str:
    if not values:
        return "Benchmarks: there are no evaluations."
    best: dict[tuple[str, str], BenchmarkValue] = {}
    for one in values:
        known = best.get((one.benchmark, one.metric))
        if known is None or one.value > known.value:
            best[one.benchmark, one.metric] = one
    told = "; ".join(
        f"{shown(one.benchmark, 40)}: {shown(one.model, 40)} has the highest value, "
        f"{number_text(one.value)}"
        for one in list(best.values())[:8]
    )
    return f"{counted(len(values), 'evaluation')} on {counted(len(best), 'benchmark')}. {told}."


def _arms_told(column: str, values: Sequence[ArmValue]) -> str:
    if not values:
        return "Ways to select: no arm has a result."
    ordered = sorted(values, key=lambda one: -one.mean)
    told = "; ".join(
        f"{shown(one.arm, 40)} {one.mean:.2f}"
        + ("" if one.deviation is None else f" ± {one.deviation:.2f}")
        for one in ordered[:8]
    )
    return f"{shown(column, 40)} of {counted(len(values), 'arm')}, the best first: {told}."
