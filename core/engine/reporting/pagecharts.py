"""The charts of a page, as specifications that its own script draws; none without the libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ig4.core.charts.bundle import vega_bundle
from ig4.core.charts.frame import PAGE, Chart
from ig4.core.charts.kinds.scores import score_chart
from ig4.core.charts.rendering import specification
from ig4.core.charts.themes import theme_config
from ig4.core.engine.plotting import ofresults, ofselection
from ig4.core.engine.plotting.drawing import plot_charts
from ig4.core.engine.plotting.kinds import Plot, PlotKind
from ig4.core.errors import Ig4Error, MissingExtraError
from ig4.storage import trainings

if TYPE_CHECKING:
    from ig4.core.charts.kinds.training import TrainingCurve
    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session

_FEWEST_STEPS = 3
"""A funnel of all samples and the selected ones alone tells nothing that the headline does not."""


def page_charts(
    session: Session, view: SelectionView, *, outcomes: bool = True
) -> tuple[dict[str, Any], str]:
    """Return the charts of a page by their part, and the JavaScript that draws them.

    Both are empty, and that is told, where the libraries are not installed. Without `outcomes`
    there are none of trainings and what came of these.
    """

    def make() -> Iterator[dict[str, Any]]:
        yield from _charts(session, view)
        if outcomes:
            yield from _outcome_charts(session, view)

    return drawn_charts(session, make)


def drawn_charts(
    session: Session, make: Callable[[], Iterable[dict[str, Any]]]
) -> tuple[dict[str, Any], str]:
    """Return charts with their themes, and the JavaScript that draws them.

    Both are empty, and that is told, where the libraries are not installed.
    """
    try:
        library, charts = vega_bundle(), list(make())
    except MissingExtraError as error:
        session.notice_once(f"the page has tables in place of charts: {error}")
        return {"charts": [], "themes": {}}, ""
    themes = {name: theme_config(name, background="transparent") for name in ("light", "dark")}
    return {"charts": charts, "themes": themes}, library


def has_libraries() -> bool:
    """Tell whether charts can be drawn, without loading what draws them."""
    return all(find_spec(name) is not None for name in ("altair", "vl_convert"))


def _charts(session: Session, view: SelectionView) -> Iterator[dict[str, Any]]:
    if view.groups is not None and len(view.groups.names) > 1:
        yield from _chart("mix", "groups", lambda: ofselection.group_values(session, view))
    yield from _score_charts(view)
    if view.ranks_by_final:
        yield from _chart("indicators", "weights", lambda: ofselection.weight_values(view))
    if len(view.columns) > 1:
        yield from _chart(
            "indicators", "correlations", lambda: ofselection.correlation_values(view)
        )
    if view.clusters is not None:
        yield from _chart("clusters", "clusters", lambda: ofselection.cluster_values(view))
    steps = ofselection.funnel_values(view)
    if len(steps) >= _FEWEST_STEPS:
        yield from _chart("stages", "funnel", lambda: steps)


def _score_charts(view: SelectionView) -> Iterator[dict[str, Any]]:
    """Yield a chart of each score that differs between samples, apart those that do not count."""
    counting = {column.name for column in view.counting}
    known = {column.name for column in view.columns}
    for number, values in enumerate(_had(lambda: ofselection.score_values(view)) or ()):
        counts = values.name in counting or values.name not in known or not counting
        if (values.everyone > 0).sum() > 1 or counts:
            part = "scores" if counts else "others"
            yield page_chart(part, f"scores-{number}", score_chart(values, PAGE))


def _outcome_charts(session: Session, view: SelectionView) -> Iterator[dict[str, Any]]:
    """Yield what was learned and measured of this selection's models, and of this data set."""
    with session.store.reading() as connection:
        own = [
            row.id
            for row in trainings.list_all(connection)
            if row.selection_id == view.selection.id
        ]
    name = view.dataset.name
    if own:
        yield from _chart(
            "outcomes",
            "training",
            lambda: tuple(curve for number in own for curve in _curves(session, number)),
        )
        yield from _chart(
            "outcomes", "evaluations", lambda: ofresults.evaluation_values(session, None, name)
        )
    yield from _chart(
        "outcomes", "ablation", lambda: ofresults.ablation_values(session, dataset=name)[0]
    )


def _curves(session: Session, number: int) -> tuple[TrainingCurve, ...]:
    """Return the curves of a training; none of one that has taken no step."""
    return _had(lambda: ofresults.training_values(session, number)) or ()


def _chart(part: str, kind: PlotKind, values: Callable[[], Any]) -> Iterator[dict[str, Any]]:
    """Yield a chart, or its panels, or nothing where there is nothing to show."""
    found = _had(values)
    if found:
        for number, chart in enumerate(plot_charts(Plot(kind, found), PAGE)):
            yield page_chart(part, f"{kind}-{number}" if number else kind, chart)


def _had(values: Callable[[], Any]) -> Any:
    """Return values, None where there are none: a page does without."""
    try:
        return values()
    except MissingExtraError:
        raise
    except Ig4Error:
        return None


def page_chart(part: str, name: str, chart: Chart) -> dict[str, Any]:
    """Return a chart for a part of a page."""
    return {"section": part, "id": name, "spec": specification(chart, validate=False)}
