"""Reads the values of a plot from the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.kinds.compare import Overlap, overlap
from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
from ig4.core.engine.plotting import ofresults, ofselection
from ig4.core.engine.plotting.kinds import OF_SELECTION, PLOT_KINDS, Plot, PlotRequest
from ig4.core.engine.plotting.ofpool import has_selection, pool_correlations, pool_scores
from ig4.core.engine.reporting.view import selection_view
from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


def read_plot(session: Session, request: PlotRequest, dataset: str | None = None) -> Plot:
    """Return the values of a plot; of the `dataset` named, or the only one.

    Raises:
        UsageError: what is to be shown is not there, or the request is wrong.
        DatasetError: there is no such data set.
    """
    kind = request.kind
    if kind not in PLOT_KINDS:
        raise UsageError(
            f"there is no plot called {kind!r}{did_you_mean(kind, PLOT_KINDS)} (there are: "
            f"{', '.join(PLOT_KINDS)})"
        )
    if kind in OF_SELECTION:
        return _of_selection(session, request, dataset)
    if kind == "compare":
        return _compare(session, request, dataset)
    named = None if dataset is None else session.dataset(dataset).name
    return _of_results(session, request, named)


def _of_results(session: Session, request: PlotRequest, dataset: str | None) -> Plot:
    kind, number = request.kind, request.number
    if kind == "judge":
        verdicts, found = ofresults.judge_values(session, number)
        return Plot(kind, verdicts, {"judgement": found})
    if kind == "training":
        return Plot(kind, ofresults.training_values(session, number, dataset))
    if kind == "evaluations":
        return Plot(kind, ofresults.evaluation_values(session, number, dataset))
    if kind == "ablation":
        arms, found = ofresults.ablation_values(session, number, request.column, dataset)
        return Plot(kind, arms, {"ablation": found})
    return Plot(kind, ofresults.spending_values(session, request.by or "model", dataset))


def _of_selection(session: Session, request: PlotRequest, dataset: str | None) -> Plot:
    if request.kind in ("scores", "correlations") and request.selection == "last":
        named = None if dataset is None else session.dataset(dataset)
        if not has_selection(session, named):  # scores can be looked at before that
            row = named or session.dataset()
            read = pool_scores if request.kind == "scores" else pool_correlations
            return Plot(request.kind, read(session, row, request.scorers), {"dataset": row.name})
    row, number = _selection(session, request.selection, dataset)
    view = selection_view(session, row, number)
    about = {"dataset": row.name, "selection": number}
    return Plot(request.kind, view_values(session, view, request), about)


def view_values(session: Session, view: SelectionView, request: PlotRequest) -> Any:
    """Return the values of a plot of a selection that is read already.

    Raises:
        UsageError: what is to be shown is not there.
    """
    match request.kind:
        case "scores":
            return ofselection.score_values(view, request.scorers)
        case "correlations":
            return ofselection.correlation_values(view, request.scorers)
        case "weights":
            return ofselection.weight_values(view)
        case "groups":
            return ofselection.group_values(session, view, request.by)
        case "clusters":
            return ofselection.cluster_values(view)
        case "funnel":
            return ofselection.funnel_values(view)
        case _:
            return ofselection.map_of(session, view, request.method or "pca", request.space)


def _selection(session: Session, which: str, dataset: str | None) -> tuple[DatasetRow, int]:
    """Return a selection's data set and number; without a data set named, it may be of any."""
    row = None if dataset is None else session.dataset(dataset)
    number = find_selection(session, row, which)
    own = dataset_of_selection(session, number)
    if row is not None and own.id != row.id:
        raise UsageError(f"selection {which} is of {own.name}, not of {row.name}")
    return own, number


def _compare(session: Session, request: PlotRequest, dataset: str | None) -> Plot:
    if request.other is None:
        raise UsageError(
            'compare needs two selections: `ig4 plot compare 1 2`, or `ig4.plot("compare", '
            "selection=1, other=2)`"
        )
    row, first = _selection(session, request.selection, dataset)
    other, second = _selection(session, request.other, row.name if dataset else None)
    if other.id != row.id:
        raise UsageError(
            f"selection {first} is of {row.name} and selection {second} of {other.name}: only "
            "selections of one data set can be compared"
        )
    if first == second:
        raise UsageError(
            f"{request.selection} and {request.other} are the same selection ({first}): name two "
            "of them"
        )
    one, two = (selection_view(session, row, number) for number in (first, second))
    about = {"dataset": row.name, "selections": [first, second]}
    return Plot(request.kind, overlap_values(one, two), about)


def overlap_values(one: SelectionView, two: SelectionView) -> Overlap:
    """Return what two selections of one data set share."""
    groups = one.groups
    by = str((one.report.get("composition") or {}).get("by", "auto"))
    labels, names = (None, ()) if groups is None else (groups.labels, groups.names)
    if labels is not None and (labels < 0).any():
        labels = np.where(labels < 0, len(names), labels)
        names = (*names, "in no group")
    first, second = (view.selection.name or f"selection {view.selection.id}" for view in (one, two))
    return overlap(first, second, one.rank, two.rank, by=by, group_names=names, group_labels=labels)
