"""How trainings went: their losses and learning rates by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.frame import (
    PAGE,
    Chart,
    Size,
    finished,
    number_text,
    panels,
    plain,
    rows,
)
from ig4.core.charts.layout import legend, legend_height
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, shown
from ig4.core.charts.palette import DASHES, REST, SERIES
from ig4.core.counts import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS = 300
"""So many points at most are drawn of a curve; each of them is a mean of its steps."""

MOST = 12
"""So many trainings at most are drawn: the newest."""


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """A training: `steps` (k,) int64 and by step `loss` and `rate` (k,) float64, NaN if unknown."""

    name: str
    steps: NDArray[np.int64]
    loss: NDArray[np.float64]
    rate: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        return {
            "name": self.name,
            "steps": self.steps.tolist(),
            "loss": [plain(one) for one in self.loss.tolist()],
            "learning_rate": [plain(one) for one in self.rate.tolist()],
        }


def training_curve(name: str, stored: Iterable[Sequence[Any]]) -> TrainingCurve:
    """Return the curve of stored steps: (step, epoch, loss, learning rate, …)."""
    found = [(int(one[0]), _number(one[2]), _number(one[3])) for one in stored]
    steps, loss, rate = zip(*found, strict=True) if found else ((), (), ())
    return TrainingCurve(
        name,
        np.array(steps, dtype=np.int64),
        np.array(loss, dtype=np.float64),
        np.array(rate, dtype=np.float64),
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def thinned(
    steps: NDArray[np.int64], values: NDArray[np.float64], most: int = MOST_POINTS
) -> tuple[list[float], list[float]]:
    """Return at most `most` points of a curve (k,): means of runs of steps; NaN counts nowhere."""
    known = np.isfinite(values)
    at, kept = steps[known].astype(np.float64), values[known]
    if len(kept) <= most:
        return at.tolist(), kept.tolist()
    edges = np.linspace(0, len(kept), most + 1).astype(np.int64)
    sizes = np.diff(edges)
    return (
        (np.add.reduceat(at, edges[:-1]) / sizes).tolist(),
        (np.add.reduceat(kept, edges[:-1]) / sizes).tolist(),
    )


def loss_chart(values: Sequence[TrainingCurve], size: Size = PAGE) -> Chart:
    """Draw the loss of each training by step."""
    return _curves(
        values, size, field="loss", title="Training loss", axis="loss",
        height=300, description=_description(values),
    )  # fmt: skip


def rate_chart(values: Sequence[TrainingCurve], size: Size = PAGE) -> Chart:
    """Draw the learning rate of each training by step."""
    highest = max((_highest(one.rate) for one in values), default=0.0)
    return _curves(
        values, size, field="rate", title="Learning rate", axis="learning rate", height=220,
        description=f"Learning rate by step of {counted(len(values), 'training')}; the highest is "
        f"{highest:.3g}.",
    )  # fmt: skip


def training_charts(values: Sequence[TrainingCurve], size: Size = PAGE) -> Chart:
    """Draw losses, and below them learning rates."""
    both = [
        loss_chart(values, Size(size.width, size.height or 340)),
        rate_chart(values, Size(size.width, size.height or 260)),
    ]
    return panels(both, description=_description(values))


def _curves(
    values: Sequence[TrainingCurve],
    size: Size,
    *,
    field: str,
    title: str,
    axis: str,
    height: int,
    description: str,
) -> Chart:
    alt = altair()
    drawn = list(values[-MOST:])
    named = labels([one.name for one in drawn], 36)
    data = [
        {"label": label, "name": shown(one.name), "step": step, "value": value}
        for label, one in zip(named, drawn, strict=True)
        for step, value in zip(*thinned(one.steps, getattr(one, field)), strict=True)
    ]
    colours = [SERIES[n] if n < len(SERIES) else REST for n in range(len(named))]
    dashes = [DASHES[n % len(DASHES)] for n in range(len(named))]
    key = legend(size, named, symbolType="stroke", symbolSize=300)
    lone = len(named) == 1
    chart = (
        alt.Chart(rows(data))
        .mark_line(strokeWidth=2, point={"size": 14} if len(data) <= 60 else False)
        .encode(
            x=alt.X("step:Q", title="step", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=axis,
                    scale=alt.Scale(zero=field == "rate"),
                    axis=alt.Axis(format=".2~g" if field == "loss" else ".1~e")),
            color=alt.Color("label:N", scale=alt.Scale(domain=named, range=colours),
                            legend=None if lone else key),
            strokeDash=alt.StrokeDash("label:N", scale=alt.Scale(domain=named, range=dashes),
                                      legend=None if lone else key),
            tooltip=[alt.Tooltip("name:N", title="training"),
                     alt.Tooltip("step:Q", title="step", format=",.0f"),
                     alt.Tooltip("value:Q", title=field, format=".4g")],
        )
    )  # fmt: skip
    return finished(
        chart, size, title=title, about=_about(values, drawn), description=description,
        height=height + (0 if lone else legend_height(size, named)),
    )  # fmt: skip


def _about(values: Sequence[TrainingCurve], drawn: Sequence[TrainingCurve]) -> list[str]:
    lines = []
    if len(drawn) < len(values):
        lines.append(f"the newest {len(drawn)} of {len(values)} trainings")
    if len(drawn) == 1:
        lines.append(labels([drawn[0].name], 48)[0])
    if any(len(one.steps) > MOST_POINTS for one in drawn):
        lines.append(f"means of neighbouring steps, {MOST_POINTS} points a curve")
    return lines


def _highest(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else 0.0


def _description(values: Sequence[TrainingCurve]) -> str:
    told = []
    for one in values[-MOST:]:
        known = one.loss[np.isfinite(one.loss)]
        if len(known):
            told.append(
                f"{shown(one.name, 60)} from {number_text(float(known[0]))} to "
                f"{number_text(float(known[-1]))} in {counted(int(one.steps[-1]), 'step')}"
            )
    return f"Training loss by step: {'; '.join(told) or 'no step is recorded'}."
