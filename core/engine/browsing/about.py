"""What a browser has to know of a selection before it asks for samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.reporting.pagedata import column_values, counted_names
from ig4.core.engine.selecting.scaling import SCALES
from ig4.core.version import __version__
from ig4.storage import selections

if TYPE_CHECKING:
    from ig4.core.engine.browsing.browsed import BrowsedSelection
    from ig4.core.engine.browsing.library import Library
    from ig4.core.engine.reporting.view import SelectionView

_LISTED = 200


def about(library: Library, browsed: BrowsedSelection) -> dict[str, Any]:
    """Return what stays the same while a page looks at a selection."""
    view = browsed.view
    selection = view.selection
    return {
        "about": {
            "dataset": view.dataset.name,
            "selection": selection.id,
            "name": view.name,
            "label": view.label,
            "size": len(view.selected),
            "samples": len(view),
            "selector": selection.config["selector"]["use"],
            "scale": selection.config.get("scale"),
            "created": f"{selection.created_at:%Y-%m-%d %H:%M} UTC",
            "version": __version__,
            "images": True,
            "texts": True,
            "ranksByFinal": view.ranks_by_final,
            "canSelect": view.prepared is not None,
            "competing": 0 if view.prepared is None else len(view.prepared.left),
            "whyNot": view.why_not,
            "line": view.line,
        },
        "selections": _listed(library, view.dataset.id),
        "scales": list(SCALES),
        "columns": _columns(browsed),
        "fates": counted_names(view.fates, view.fate),
        "groups": None
        if view.groups is None
        else counted_names(view.groups.names, view.groups.labels),
        "clusters": _clusters(view),
        "map": None
        if browsed.map is None
        else {"space": browsed.map.space, "method": browsed.map.method},
    }


def _listed(library: Library, dataset_id: int) -> list[dict[str, Any]]:
    with library.session.store.reading() as connection:
        listed = selections.list_all(connection, dataset_id, limit=_LISTED)
    return [
        {
            "id": one.row.id,
            "name": one.row.name or one.label,
            "size": one.row.size,
            "created": f"{one.row.created_at:%Y-%m-%d %H:%M}",
            "selector": one.row.config["selector"]["use"],
        }
        for one in listed
    ]


def _columns(browsed: BrowsedSelection) -> list[dict[str, Any]]:
    """Return the indicators; one can count if no sample that competes would be without F(x)."""
    view = browsed.view
    competing = view.peers >= 0
    return [
        told | {"canCount": told["weight"] is not None or not np.isnan(one.raw[competing]).any()}
        for told, one in zip(column_values(view), view.columns, strict=True)
    ]


def _clusters(view: SelectionView) -> list[dict[str, Any]]:
    if view.clusters is None:
        return []
    labels, counts = np.unique(view.clusters[view.clusters >= 0], return_counts=True)
    lines = view.lines if view.deals_by_cluster else {}
    return [
        {"label": label, "size": count, "line": lines.get(label)}
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True)
    ]
