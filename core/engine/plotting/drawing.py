"""Draws the values of a plot, and returns them as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ig4.core.charts.frame import FILE, Chart, Size, panels
from ig4.core.charts.kinds import (
    compare,
    correlations,
    costs,
    funnel,
    judge,
    maps,
    results,
    scores,
    shares,
    training,
    weights,
)

if TYPE_CHECKING:
    from ig4.core.engine.plotting.kinds import Plot


def plot_chart(plot: Plot, size: Size = FILE) -> Chart:
    """Return the chart of a plot; several panels are one chart.

    Raises:
        MissingExtraError: Altair is not installed.
    """
    values = plot.values
    match plot.kind:
        case "scores":
            lone = len(values) == 1
            return (
                scores.score_chart(values[0], size) if lone else scores.score_charts(values, size)
            )
        case "correlations":
            return correlations.correlation_chart(values, size)
        case "weights":
            return weights.weight_chart(values, size)
        case "groups" | "clusters":
            return shares.share_chart(values, size)
        case "funnel":
            return funnel.funnel_chart(values, size)
        case "map":
            return maps.map_chart(values, size)
        case "compare":
            both = [compare.overlap_chart(values, size), compare.rank_chart(values, size)]
            return panels(both, description=str(both[0].description), axis=190)
        case "judge":
            return judge.judge_chart(values, size)
        case "training":
            return training.training_charts(values, size)
        case "evaluations":
            return results.benchmark_chart(values, size)
        case "ablation":
            return results.ablation_chart(values.column, values.arms, size)
        case "costs":
            return costs.spending_charts(values, size)


def plot_dict(plot: Plot) -> dict[str, Any]:
    """Return what a plot shows, JSON-able."""
    values = plot.values
    match plot.kind:
        case "scores":
            told: dict[str, Any] = {"scores": [one.to_dict() for one in values]}
        case "weights":
            told = weights.weights_dict(values)
        case "funnel":
            told = funnel.funnel_dict(values)
        case "training":
            told = {"trainings": [one.to_dict() for one in values]}
        case "evaluations":
            told = results.benchmarks_dict(values)
        case "ablation":
            told = results.arms_dict(values.column, values.arms)
        case _:
            told = values.to_dict()
    return {"plot": plot.kind, **plot.about, **told}
