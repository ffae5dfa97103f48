"""Plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ig4.core.api.sessions import open_session
from ig4.core.charts.frame import WIDTH, Size
from ig4.core.charts.rendering import SCALE, check_chart_file
from ig4.core.charts.themes import Theme
from ig4.core.engine.plotting.drawing import plot_chart, write_plot
from ig4.core.engine.plotting.kinds import PlotKind, PlotRequest
from ig4.core.engine.plotting.plot import read_plot
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
    scorers: Sequence[str] | None = None,
    by: str | None = None,
    number: int | None = None,
    method: str = "pca",
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
    judgement, training, evaluation or ablation, by default the newest. Sizes are in pixels.

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
        scorers=None if scorers is None else tuple(scorers),
        by=by,
        number=number,
        method=method,
        space=space,
        column=column,
    )
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
