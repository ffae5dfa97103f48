"""The charts of a page about a selection: which ones, and in which part of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.frame import PAGE, Chart
from ig4.core.charts.kinds.correlations import correlation_chart
from ig4.core.charts.kinds.costs import cost_chart, time_chart
from ig4.core.charts.kinds.funnel import funnel_chart
from ig4.core.charts.kinds.judge import judge_chart
from ig4.core.charts.kinds.results import ablation_chart, benchmark_chart
from ig4.core.charts.kinds.scores import score_chart
from ig4.core.charts.kinds.shares import share_chart
from ig4.core.charts.kinds.training import loss_chart, rate_chart
from ig4.core.charts.kinds.weights import weight_chart
from ig4.core.charts.rendering import specification, title_of
from ig4.core.engine.plotting import ofresults, ofselection
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart of a page: its part of the page, a name of its own, and its Vega-Lite `spec`.

    The specification has no `config`: a page adds `theme_config` of its reader's theme.
    """

    section: str
    id: str
    title: str
    spec: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return {"section": self.section, "id": self.id, "title": self.title, "spec": self.spec}


def selection_figures(session: Session, view: SelectionView) -> list[Figure]:
    """Return the charts of a selection, those left out that there is nothing to show in.

    Of the results of trainings, judgements and ablations those of its data set, as far as that is
    recorded.

    Raises:
        MissingExtraError: Altair is not installed.
    """
    found = []
    for section, name, chart in (*_of_view(session, view), *_of_results(session, view)):
        spec = specification(chart)
        found.append(Figure(section, name, title_of(spec), spec))
    return found


def _of_view(session: Session, view: SelectionView) -> Iterator[tuple[str, str, Chart]]:
    groups = _there(lambda: ofselection.group_values(session, view))
    if groups is not None and len(groups.parts) > 1:
        yield "mix", "groups", share_chart(groups, PAGE)
    for n, one in enumerate(_there(lambda: ofselection.score_values(view)) or ()):
        yield "scores", f"score-{n}", score_chart(one, PAGE)
    weights = _there(lambda: ofselection.weight_values(view))
    if weights:
        yield "indicators", "weights", weight_chart(weights, PAGE)
    agreement = _there(lambda: ofselection.correlation_values(view))
    if agreement is not None and np.isfinite(agreement.matrix).sum() > len(agreement.names):
        yield "indicators", "correlations", correlation_chart(agreement, PAGE)
    clusters = _there(lambda: ofselection.cluster_values(view))
    if clusters is not None:
        yield "clusters", "clusters", share_chart(clusters, PAGE)
    steps = ofselection.funnel_values(view)
    if len(steps) > 2:
        yield "stages", "funnel", funnel_chart(steps, PAGE)


def _of_results(session: Session, view: SelectionView) -> Iterator[tuple[str, str, Chart]]:
    of = view.dataset.name
    curves = _there(lambda: ofresults.training_values(session, dataset=of))
    if curves:
        yield "outcomes", "loss", loss_chart(curves, PAGE)
        yield "outcomes", "rate", rate_chart(curves, PAGE)
    values = _there(lambda: ofresults.evaluation_values(session, dataset=of))
    if values:
        yield "outcomes", "benchmarks", benchmark_chart(values, PAGE)
    arms = _there(lambda: ofresults.ablation_values(session, dataset=of))
    if arms is not None and arms[0].arms:
        yield "outcomes", "ablation", ablation_chart(arms[0].column, arms[0].arms, PAGE)
    judged = _there(lambda: ofresults.judge_values(session))
    if judged is not None and judged[0].counts[0].total:
        yield "outcomes", "judge", judge_chart(judged[0], PAGE)
    spent = _there(lambda: ofresults.spending_values(session, dataset=of))
    if spent is not None and spent.costs:
        yield "costs", "costs", cost_chart(spent.by, spent.costs, PAGE)
    if spent is not None and spent.times:
        yield "costs", "times", time_chart(spent.times, PAGE)


def _there(read: Callable[[], Any]) -> Any:
    """Return what is to be shown, None where there is none."""
    try:
        return read()
    except UsageError:
        return None
