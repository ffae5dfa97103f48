"""Plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.api.arguments import choice, names
from ig4.core.api.sessions import open_session
from ig4.core.charts.frame import WIDTH, Size
from ig4.core.charts.rendering import SCALE, check_chart_file
from ig4.core.charts.themes import THEMES, Theme
from ig4.core.engine.plotting.drawing import plot_chart, write_plot
from ig4.core.engine.plotting.kinds import PlotKind, PlotRequest, check_plot_request
from ig4.core.engine.plotting.plot import read_plot
from ig4.core.limits import CHART_HEIGHT, CHART_SCALE, CHART_WIDTH
from ig4.storage.connect import DEFAULT
from ig4.storage.store import Store

if TYPE_CHECKING:
    from ig4.core.events import Listener


def plot(
    kind: PlotKind,
    db: str | Path | Store = DEFAULT,
    *,
    selection: int | str = "last",
    other: int | str | None = None,
    dataset: str | None = None,
    scorers: str | Sequence[str] | None = None,
    by: str | None = None,
    number: int | None = None,
    method: str | None = None,
    space: str | None = None,
    column: str | None = None,
    width: int | None = None,
    height: int | None = None,
    path: str | Path | None = None,
    theme: Theme = "light",
    scale: float = SCALE,
    overwrite: bool = False,
    progress: bool = True,
    listeners: Sequence[Listener] = (),
) -> Any:
    """Do what `ig4 plot` does: return a chart of Altair, which a notebook shows.

    With a `path` the chart is also written as the kind of file that its name ends in, in the
    colours of `theme`. `other` is the second selection of "compare"; `number` is that of a
    judgement, training, evaluation or ablation, by default the newest. Sizes are in pixels. A map
    is laid out by a `method`, by default "pca".

    Raises:
        MissingExtraError: Altair is not installed.
        UsageError: what is to be shown is not there, or the request is wrong.
        DatasetError: there is no such data set, or the file cannot be written.
        StorageError: there is no such database.
    """
    request = PlotRequest(
        kind=kind,
        selection=str(selection),
        other=None if other is None else str(other),
        scorers=names("scorers", scorers),
        by=by,
        number=number,
        method=method,
        space=space,
        column=column,
    )
    check_plot_request(request)
    CHART_WIDTH.check("width", width)
    CHART_HEIGHT.check("height", height)
    CHART_SCALE.check("scale", scale)
    choice("theme", theme, THEMES)
    if path is not None:
        check_chart_file(Path(path), overwrite=overwrite)
    with open_session(db, listeners, progress=progress) as session:
        found = read_plot(session, request, dataset)
    if path is not None:
        write_plot(
            found,
            Path(path),
            width=width,
            height=height,
            theme=theme,
            scale=scale,
            overwrite=overwrite,
        )
    return plot_chart(found, Size(WIDTH if width is None else width, height))
