"""What a browser has to know of a selection before it asks for samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.scaling import SCALES
from ig4.core.version import __version__
from ig4.storage import selections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ig4.core.engine.browsing.browsed import BrowsedSelection
    from ig4.core.engine.browsing.library import Library

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
            "line": None,
        },
        "selections": _listed(library, view.dataset.id),
        "scales": list(SCALES),
        "columns": _columns(browsed),
        "fates": _counted(view.fates, view.fate),
        "groups": None if view.groups is None else _counted(view.groups.names, view.groups.labels),
        "clusters": _clusters(browsed),
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
    view = browsed.view
    competing = view.peers >= 0
    return [
        {
            "name": column.name,
            "weight": column.weight,
            "share": None,
            "known": int((~np.isnan(column.raw)).sum()),
            # Others would leave samples without a final score.
            "canCount": column.weight is not None or not np.isnan(column.raw[competing]).any(),
        }
        for column in view.columns
    ]


def _clusters(browsed: BrowsedSelection) -> list[dict[str, Any]]:
    view = browsed.view
    if view.clusters is None:
        return []
    labels, counts = np.unique(view.clusters[view.clusters >= 0], return_counts=True)
    chosen = view.clusters[view.selected]
    found = []
    for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
        own = view.final[view.selected[chosen == label]]
        has_line = view.ranks_by_final and view.peers.max(initial=0) > 0 and len(own) > 0
        line = float(own.min()) if has_line and not np.isnan(own).all() else None
        found.append({"label": label, "size": count, "selected": len(own), "line": line})
    return found


def _counted(names: Sequence[str], labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    counts = np.bincount(labels[labels >= 0], minlength=len(names)).tolist()
    return [{"name": name, "count": count} for name, count in zip(names, counts, strict=True)]
