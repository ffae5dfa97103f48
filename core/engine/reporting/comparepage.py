"""The page of a comparison: what two selections share, and the samples that only one has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.frame import PAGE
from ig4.core.charts.kinds import compare
from ig4.core.engine.comparing.result import FATES
from ig4.core.engine.exporting.export import dataset_of_selection
from ig4.core.engine.plotting.plot import overlap_values
from ig4.core.engine.reporting.cards import SampleCards, sample_cards
from ig4.core.engine.reporting.page import html_page
from ig4.core.engine.reporting.pagecharts import drawn_charts, page_chart
from ig4.core.engine.reporting.pagedata import column_values, counted_names
from ig4.core.engine.reporting.redaction import hidden_names, redacted, redacted_comparison
from ig4.core.engine.reporting.shown import ShownSamples
from ig4.core.engine.reporting.view import SelectionView, selection_view
from ig4.core.files.writing.staging import staged_file
from ig4.core.version import __version__
from ig4.storage import samples

if TYPE_CHECKING:
    from ig4.core.engine.comparing.result import Change, ComparisonResult
    from ig4.core.engine.session import Session

MOST = 500
"""Samples that came in, and that went out, which a page shows; all are counted."""


@dataclass(frozen=True)
class CardContent:
    """What cards have beside numbers."""

    images: bool
    texts: bool


def write_comparison(
    session: Session,
    found: ComparisonResult,
    path: Path,
    *,
    images: bool = True,
    texts: bool = True,
    overwrite: bool = False,
) -> int:
    """Write the page of a comparison; returns its size in bytes.

    Without `texts` it has numbers alone, as a report has: no text, image, id or name of the data.

    Raises:
        UsageError: the file is not of ig4's.
        DatasetError: it cannot be written.
    """
    one, other = (_view(session, side.id) for side in (found.a, found.b))
    names = hidden_names((one, other))
    told = found.to_dict() if texts else redacted_comparison(found, names)
    if not texts:
        one, other = redacted(one, names), redacted(other, names)
    shown = CardContent(images and texts, texts)
    parts = {
        "cameIn": _side(session, other, found.came_in[:MOST], shown),
        "wentOut": _side(session, one, found.went_out[:MOST], shown),
    }
    pictures: list[str] = []
    values: dict[str, Any] = {
        "about": {
            "label": f"{found.a.title} and {found.b.title}",
            "dataset": told["a"]["dataset"],
            "version": __version__,
            "texts": texts,
        },
        "comparison": told | {"came_in": len(found.came_in), "went_out": len(found.went_out)},
    }
    for name, (side, cards) in parts.items():
        values[name] = {**side, "samples": _shifted(cards, len(pictures))}
        pictures += cards.pictures
    charts, library = _charts(session, one, other)
    page = html_page(values, pictures, charts, library, entry="compare.js")
    with staged_file(path, overwrite=overwrite) as partial:
        partial.write_bytes(page)
    return len(page)


def _view(session: Session, selection_id: int) -> SelectionView:
    return selection_view(session, dataset_of_selection(session, selection_id), selection_id)


def _side(
    session: Session, view: SelectionView, changes: Sequence[Change], content: CardContent
) -> tuple[dict[str, Any], SampleCards]:
    """Return what a page says of samples that one side alone has, in its order, and their cards."""
    with session.store.reading() as connection:
        known = samples.find_ids(connection, view.dataset.id, [one.id for one in changes])
    there = [one for one in changes if one.id in known]
    rows = view.row_of([known[one.id][0] for one in there])
    order = np.sort(rows)
    cards = sample_cards(
        session, view, ShownSamples(order, rows, 0, ""), images=content.images, texts=content.texts
    )
    place = {row: n for n, row in enumerate(order.tolist())}
    values = {
        "about": {"ranksByFinal": False, **asdict(content), "samples": len(view)},
        "fates": counted_names(view.fates, view.fate),
        "groups": None
        if view.groups is None
        else counted_names(view.groups.names, view.groups.labels),
        "columns": column_values(view),
        "clusters": [],
        "galleries": [],
        "order": [place[row] for row in rows.tolist()],
        "captions": [one.reason if content.texts else FATES[one.fate] for one in there],
    }
    return values, cards


def _shifted(cards: SampleCards, by: int) -> Mapping[str, Any]:
    """Return cards whose pictures stand behind so many others."""
    image = [[one + by if one >= 0 else one for one in row] for row in cards.columns["image"]]
    return {**cards.columns, "image": image}


def _charts(
    session: Session, one: SelectionView, other: SelectionView
) -> tuple[dict[str, Any], str]:
    if one.dataset.id != other.dataset.id:
        return {"charts": [], "themes": {}}, ""  # charts compare rows of one data set

    def make() -> Iterator[dict[str, Any]]:
        values = overlap_values(one, other)
        yield page_chart("overlap", "compare-overlap", compare.overlap_chart(values, PAGE))
        yield page_chart("overlap", "compare-ranks", compare.rank_chart(values, PAGE))

    return drawn_charts(session, make)
