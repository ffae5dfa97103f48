"""Draws the values of a plot, and returns them as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ig4.core.charts.frame import FILE, PAGE, WIDTH, Chart, Size, panels
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
from ig4.core.charts.rendering import SCALE, file_kind, write_chart, write_charts

if TYPE_CHECKING:
    from pathlib import Path

    from ig4.core.charts.themes import Theme
    from ig4.core.engine.plotting.kinds import Plot


def write_plot(
    plot: Plot,
    path: Path,
    *,
    width: int | None = None,
    height: int | None = None,
    theme: Theme = "light",
    scale: float = SCALE,
    overwrite: bool = False,
) -> None:
    """Write a plot as the kind of file that the name ends in.

    A page fits its charts to its reader's window, unless they have a `width`.

    Raises:
        UsageError: the name ends in no known kind, or the file is of others.
        DatasetError: it cannot be written.
        MissingExtraError: Altair or vl-convert is not installed.
    """
    if file_kind(path) == "html":
        size = Size("container" if width is None else width, height)
        write_charts(plot_charts(plot, size), path, theme=theme, overwrite=overwrite)
        return
    chart = plot_chart(plot, Size(WIDTH if width is None else width, height))
    write_chart(chart, path, theme=theme, scale=scale, overwrite=overwrite)


def plot_chart(plot: Plot, size: Size = FILE) -> Chart:
    """Return the chart of a plot; several panels are one chart.

    Raises:
        MissingExtraError: Altair is not installed.
    """
    values = plot.values
    match plot.kind:
        case "scores" if len(values) > 1:
            return scores.score_charts(values, size)
        case "compare":
            both = plot_charts(plot, size)
            return panels(both, description=str(both[0].description), axis=190)
        case "training":
            return training.training_charts(values, size)
        case "costs":
            return costs.spending_charts(values, size)
    return plot_charts(plot, size)[0]


def plot_charts(plot: Plot, size: Size = PAGE) -> list[Chart]:
    """Return the panels of a plot, each a chart of its own.

    Raises:
        MissingExtraError: Altair is not installed.
    """
    values = plot.values
    match plot.kind:
        case "scores":
            return [scores.score_chart(one, size) for one in values]
        case "correlations":
            return [correlations.correlation_chart(values, size)]
        case "weights":
            return [weights.weight_chart(values, size)]
        case "groups" | "clusters":
            return [shares.share_chart(values, size)]
        case "funnel":
            return [funnel.funnel_chart(values, size)]
        case "map":
            return [maps.map_chart(values, size)]
        case "compare":
            return [compare.overlap_chart(values, size), compare.rank_chart(values, size)]
        case "judge":
            return [judge.judge_chart(values, size)]
        case "training":
            return [training.loss_chart(values, size), training.rate_chart(values, size)]
        case "evaluations":
            return [results.benchmark_chart(values, size)]
        case "ablation":
            return [results.ablation_chart(values.column, values.arms, size)]
        case "costs":
            return costs.spending_panels(values, size)


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
