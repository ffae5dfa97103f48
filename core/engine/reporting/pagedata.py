"""All that a page says, as JSON; equal databases give equal pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.reporting.cards import SampleCards, numbers, sample_cards
from ig4.core.engine.reporting.clustertable import cluster_table
from ig4.core.engine.reporting.galleries import Gallery, galleries
from ig4.core.engine.reporting.map import SampleMap, selection_map
from ig4.core.engine.reporting.outcomes import cost_tables, outcome_tables
from ig4.core.engine.reporting.packing import packed_array
from ig4.core.engine.reporting.redaction import NUMBERS, redacted
from ig4.core.engine.reporting.shown import ShownSamples, shown_samples
from ig4.core.engine.reporting.view import SelectionView
from ig4.core.engine.selections.again import SETTINGS, selected_again
from ig4.core.secrets import redact, scrub
from ig4.core.texts import sanitize
from ig4.core.version import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session

MOST_POINTS = 100_000
"""Points of the map: all selected samples, and a seeded sample of more others than this."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What a page has: `images` and `texts` of the samples, and a `map` by which method and space.

    `samples` is how many a data set may have to be shown whole.
    """

    images: bool = True
    texts: bool = True
    method: str = "pca"
    space: str | None = None
    samples: int = 5_000


@dataclass(frozen=True, slots=True)
class PageData:
    """What a page says: JSON-able `values`, and `pictures` as base64 that cards name by number."""

    values: Mapping[str, Any]
    pictures: Sequence[str]
    view: SelectionView
    map: SampleMap | None


def page_data(session: Session, view: SelectionView, request: PageRequest) -> PageData:
    """Return all that a page says of a selection.

    Raises:
        UsageError: there is no such map.
    """
    found = selection_map(session, view, method=request.method, space=request.space)
    lists = galleries(session, view)
    clusters = cluster_table(session, view, found)
    shown = shown_samples(view, lists, request.samples)
    if not request.texts:
        view = redacted(view)
    cards = sample_cards(
        session, view, shown, images=request.images and request.texts, texts=request.texts
    )
    place = {row: n for n, row in enumerate(shown.rows.tolist())}
    told = view.report
    values = {
        "about": _about(view, request, shown, cards),
        "config": _settings(view.selection.config) if request.texts else _numbers_alone(view),
        "notices": list(told.get("notices") or told.get("told") or ()),
        "warnings": _warnings(view),
        "fates": counted_names(view.fates, view.fate),
        "groups": None
        if view.groups is None
        else counted_names(view.groups.names, view.groups.labels),
        "groupsBy": (told.get("composition") or {}).get("by"),
        "composition": told.get("composition"),
        "stages": list(told.get("stages") or ()),
        "columns": column_values(view),
        "clusters": [
            {**one, "typical": [place[row] for row in one["typical"] if row in place]}
            for one in clusters
        ],
        "clustering": None if view.clustering is None else view.clustering.name,
        "galleries": [_gallery(one, place, texts=request.texts) for one in lists],
        "samples": dict(cards.columns),
        "map": None if found is None else _map(view, found, place),
        "outcomes": outcome_tables(session, view) if request.texts else [],
        "costs": cost_tables(session, view),
    }
    return PageData(values, cards.pictures, view, found)


def _about(
    view: SelectionView, request: PageRequest, shown: ShownSamples, cards: SampleCards
) -> dict[str, Any]:
    selection = view.selection
    return {
        "dataset": view.dataset.name,
        "format": view.dataset.format,
        "selection": selection.id,
        "name": view.name,
        "label": view.label,
        "size": len(view.selected) + view.gone,
        "samples": len(view),
        "selector": selection.config["selector"]["use"],
        "scale": selection.config.get("scale"),
        "seed": selection.config.get("seed"),
        "created": f"{selection.created_at:%Y-%m-%d %H:%M} UTC",
        "version": __version__,
        "images": request.images and request.texts,
        "texts": request.texts,
        "shown": shown.told,
        "without": cards.without,
        "unreadable": cards.unreadable,
        "ranksByFinal": view.ranks_by_final,
        "line": view.line,
        **(_again(view) if request.texts else {"command": None}),
    }


def _again(view: SelectionView) -> dict[str, Any]:
    """Return what makes the selection again; no command where its record does not say it."""
    again = selected_again(view.selection.config)
    if again is None:
        return {"command": None}
    return {
        "command": redact(again.command),
        "settings": None if again.settings is None else redact(again.settings),
        "settingsFile": SETTINGS,
        "alsoNeeds": [sanitize(one) for one in again.told],
    }


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, without where on the author's machine files lie."""
    shown = dict(config)
    for what in ("keep", "drop"):
        if what in config:
            shown[what] = [
                {**one, "file": PurePath(one["file"]).name} if one.get("file") else dict(one)
                for one in config[what]
            ]
    scrubbed: dict[str, Any] = scrub(shown)
    return scrubbed


def _numbers_alone(view: SelectionView) -> dict[str, Any]:
    config = view.selection.config
    return {name: config[name] for name in NUMBERS if name in config}


def _warnings(view: SelectionView) -> list[str]:
    found = []
    if view.why_not:
        found.append(
            f"How this selection was made cannot be told again: {view.why_not}. What you see of "
            "the other samples are the scores of today."
        )
    if view.gone:
        found.append(f"{view.gone:,} selected samples are no longer in the data set.")
    if view.changed and not view.gone:
        found.append(
            "Scores, clusters or samples have changed since this selection was made: which samples "
            "are in it is as it was, the numbers are of today."
        )
    return found


def counted_names(names: Sequence[str], labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return names with how many labels (n,) are of each, by its place."""
    counts = np.bincount(labels[labels >= 0], minlength=len(names)).tolist()
    return [{"name": name, "count": count} for name, count in zip(names, counts, strict=True)]


def column_values(view: SelectionView) -> list[dict[str, Any]]:
    """Return the indicators, with what each weight is worth where the selector sums them."""
    worth = view.report.get("effective_weights") or {}
    return [
        {
            "name": column.name,
            "weight": column.weight,
            "share": (worth.get(column.name) or {}).get("share"),
            "known": int((~np.isnan(column.raw)).sum()),
        }
        for column in view.columns
    ]


def _gallery(one: Gallery, place: Mapping[int, int], *, texts: bool) -> dict[str, Any]:
    """Return a gallery with places among the shown samples in place of rows."""
    says_numbers = one.key == "edge" or one.key.partition(":")[0] in ("best", "worst")
    captions = one.captions if texts or says_numbers else {}
    return {
        "key": one.key,
        "title": one.title,
        "total": one.total,
        "rows": [place[row] for row in one.rows],
        "captions": {place[row]: text for row, text in captions.items() if row in place},
        "pairs": [[place[first], place[second]] for first, second in one.pairs],
    }


def _map(view: SelectionView, found: SampleMap, place: Mapping[int, int]) -> dict[str, Any] | None:
    """Return the points of the map: places on a grid of 65,535, and which of the cards each is."""
    known = np.flatnonzero(~np.isnan(found.coordinates).any(axis=1))
    if not len(known):
        return None
    rows, told = _points(view, known)
    points = found.coordinates[rows].astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    grid = np.round((points - low) / np.where(high > low, high - low, 1.0) * 65_535)
    cards = np.array([place.get(row, -1) for row in rows.tolist()], dtype="<i4")
    label = view.clusters if view.clusters is not None else np.full(len(view), -1)
    return {
        "space": found.space,
        "method": found.method,
        "told": told,
        "ratio": float((high - low)[0] / (high - low)[1]) if (high > low).all() else 1.0,
        "x": packed_array(grid[:, 0].astype("<u2")),
        "y": packed_array(grid[:, 1].astype("<u2")),
        "selected": packed_array((view.rank[rows] > 0).astype("u1")),
        "cluster": packed_array(label[rows].astype("<i4")),
        "card": packed_array(cards),
        "final": numbers(np.array([np.nanmin(view.final), np.nanmax(view.final)]))
        if not np.isnan(view.final).all()
        else None,
    }


def _points(view: SelectionView, known: NDArray[np.int64]) -> tuple[NDArray[np.int64], str]:
    missing = len(view) - len(known)
    told = f"{len(known):,} samples" + (f"; {missing:,} have no vector" if missing else "")
    if len(known) <= MOST_POINTS:
        return known, told
    chosen = known[view.rank[known] > 0][:MOST_POINTS]
    others = np.setdiff1d(known, chosen)
    rng = np.random.default_rng(int(view.selection.config.get("seed") or 0))
    drawn = rng.choice(others, MOST_POINTS - len(chosen), replace=False)
    return (
        np.sort(np.concatenate([chosen, drawn])),
        f"{told}; drawn are the selected ones and {len(drawn):,} others, by the seed",
    )
