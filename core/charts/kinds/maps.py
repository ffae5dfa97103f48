"""The map: where samples lie in two dimensions, with the selected ones marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.bins import round_edges
from ig4.core.charts.frame import PAGE, Chart, Size, finished, percent_text, plain, rows
from ig4.core.charts.library import altair
from ig4.core.charts.names import short, shown
from ig4.core.charts.palette import REST, SELECTED
from ig4.core.counts import counted, nouns, verb

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_POINTS = 4_000
"""So many samples at most are points; more are counted in cells."""

CELLS = 48
"""Cells across and down, about."""

_HEIGHT = 460
_OTHERS, _CHOSEN = "not selected", "selected"


@dataclass(frozen=True, slots=True)
class MapValues:
    """Samples with a place: `coordinates` (m, 2) float64, `selected` (m,) bool, `ids` (m,) text.

    `space` is what was laid out, `method` how. `unplaced` samples have no vector.
    """

    space: str
    method: str
    coordinates: NDArray[np.float64]
    selected: NDArray[np.bool_]
    ids: tuple[str, ...]
    unplaced: int

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        told: dict[str, Any] = {
            "space": self.space, "method": self.method, "placed": len(self.coordinates),
            "selected": int(self.selected.sum()), "unplaced": self.unplaced,
        }  # fmt: skip
        if len(self.coordinates) <= MOST_POINTS:
            told["points"] = [
                {"id": one, "x": plain(x), "y": plain(y), "selected": chosen}
                for one, (x, y), chosen in zip(
                    self.ids, self.coordinates.tolist(), self.selected.tolist(), strict=True
                )
            ]
        else:
            told["cells"] = [
                {key: plain(value) for key, value in cell.items()} for cell in map_cells(self)
            ]
        return told


def map_values(
    coordinates: NDArray[np.float32],
    selected: NDArray[np.bool_],
    ids: Sequence[str],
    *,
    space: str,
    method: str,
) -> MapValues:
    """Return the samples that have a place; coordinates (n, 2) are NaN for the others."""
    placed = np.isfinite(coordinates).all(axis=1)
    names = tuple(ids[row] for row in np.flatnonzero(placed).tolist()) if len(ids) else ()
    return MapValues(
        space, method, coordinates[placed].astype(np.float64), selected[placed], names,
        int((~placed).sum()),
    )  # fmt: skip


def map_cells(values: MapValues, cells: int = CELLS) -> list[dict[str, Any]]:
    """Return the cells that hold samples: their edges, and counts of all and of the selected."""
    x_edges = round_edges(values.coordinates[:, 0], cells)
    y_edges = round_edges(values.coordinates[:, 1], cells)
    everyone = _grid(values.coordinates, x_edges, y_edges)
    chosen = _grid(values.coordinates[values.selected], x_edges, y_edges)
    return [
        {
            "x": x_edges[i], "x2": x_edges[i + 1], "y": y_edges[j], "y2": y_edges[j + 1],
            "samples": everyone[i, j], "selected": chosen[i, j],
        }
        for i, j in np.argwhere(everyone).tolist()
    ]  # fmt: skip


def _grid(
    points: NDArray[np.float64], x_edges: NDArray[np.float64], y_edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    if not len(x_edges):
        return np.zeros((0, 0), dtype=np.int64)
    found, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=(x_edges, y_edges))
    return found.astype(np.int64)


def map_chart(values: MapValues, size: Size = PAGE) -> Chart:
    """Draw samples as points, the selected ones as larger diamonds on top; many as a density."""
    alt = altair()
    is_small = len(values.coordinates) <= MOST_POINTS
    layers = _points(values) if is_small else _density(values)
    chosen = int(values.selected.sum())
    about = [f"{len(values.coordinates):,} samples, {chosen:,} selected"]
    if values.unplaced:
        about.append(f"{values.unplaced:,} without a vector {verb(values.unplaced, 'is', 'are')} "
                     "not on it")  # fmt: skip
    return finished(
        alt.layer(*layers),
        size,
        title=f"Map of {short(values.space, 26)}",
        about=about,
        description=_description(values),
        height=_HEIGHT,
    )


def _axes(values: MapValues) -> tuple[Any, Any]:
    alt = altair()
    first, second = (
        ("first component", "second component")
        if values.method == "pca"
        else (f"{short(values.method, 16)} 1", f"{short(values.method, 16)} 2")
    )
    scale = alt.Scale(zero=False, nice=True)
    axis = alt.Axis(tickCount=5)
    return (
        alt.X("x:Q", title=f"{first} (no unit)", scale=scale, axis=axis),
        alt.Y("y:Q", title=f"{second} (no unit)", scale=scale, axis=axis),
    )


def _points(values: MapValues) -> list[Chart]:
    alt = altair()
    x, y = _axes(values)
    domain = [_OTHERS, _CHOSEN]
    colour = alt.Scale(domain=domain, range=[REST, SELECTED])
    key = alt.Legend(symbolOpacity=1, symbolSize=70)
    found = []
    # Those that are not selected come first, so that none of them hides a selected one.
    for chosen, shape, area, opacity in ((False, "circle", 18, 0.5), (True, "diamond", 52, 0.95)):
        data = rows(
            {
                "x": values.coordinates[row, 0],
                "y": values.coordinates[row, 1],
                "who": domain[chosen],
                "id": shown(values.ids[row], 120) if values.ids else "",
            }
            for row in np.flatnonzero(values.selected == chosen).tolist()
        )
        found.append(
            alt.Chart(data)
            .mark_point(
                filled=True, size=area, opacity=1, fillOpacity=opacity, shape=shape, aria=False
            )
            .encode(
                x=x, y=y,
                color=alt.Color("who:N", title=None, scale=colour, legend=key),
                shape=alt.Shape("who:N", title=None, legend=key,
                                scale=alt.Scale(domain=domain, range=["circle", "diamond"])),
                tooltip=[alt.Tooltip("id:N", title="sample"), alt.Tooltip("who:N", title="is")],
            )
        )  # fmt: skip
    return found


def _density(values: MapValues) -> list[Chart]:
    """Return cells, the darker the more samples they hold, and a diamond where some are selected.

    Darkness grows with the logarithm: a few crowded cells would make all others look empty.
    """
    alt = altair()
    x, y = _axes(values)
    cells = map_cells(values)
    most = max((int(cell["samples"]) for cell in cells), default=1)
    tips = [
        alt.Tooltip("samples:Q", title="samples here", format=","),
        alt.Tooltip("selected:Q", title="selected of them", format=","),
    ]
    squares = (
        alt.Chart(rows(cells))
        .mark_rect(color=REST, aria=False)
        .encode(
            x=x, x2="x2:Q", y=y, y2="y2:Q", tooltip=tips,
            opacity=alt.Opacity(
                "samples:Q", title="samples in a cell",
                scale=alt.Scale(type="log", domain=[1, max(2, most)], range=[0.15, 1]),
                legend=alt.Legend(symbolType="square", tickCount=3, values=_ticks(most)),
            ),
        )
    )  # fmt: skip
    marked = [
        {**cell, "x": (cell["x"] + cell["x2"]) / 2, "y": (cell["y"] + cell["y2"]) / 2}
        for cell in cells
        if cell["selected"]
    ]
    top = max((int(cell["selected"]) for cell in marked), default=1)
    dots = (
        alt.Chart(rows(marked))
        .mark_point(filled=True, shape="diamond", color=SELECTED, opacity=1, aria=False)
        .encode(
            x=x, y=y, tooltip=tips,
            size=alt.Size(
                "selected:Q", title="selected in a cell",
                scale=alt.Scale(domain=[0, max(1, top)], range=[8, 130]),
                legend=alt.Legend(symbolType="diamond", symbolFillColor=SELECTED,
                                  symbolStrokeColor=SELECTED, values=_ticks(top)),
            ),
        )
    )  # fmt: skip
    return [squares, dots]


def _ticks(most: int) -> list[int]:
    middle = round(most**0.5)
    return sorted({1, middle, most} - {0})


def _description(values: MapValues) -> str:
    total, chosen = len(values.coordinates), int(values.selected.sum())
    start = (
        f"Map of {counted(total, 'sample')} by {shown(values.method, 60)} of "
        f"{shown(values.space, 60)}"
    )
    if not total:
        return f"{start}: no sample has a vector."
    told = f"{start}; {chosen:,} {verb(chosen, 'is', 'are')} selected"
    cells = map_cells(values, 12)
    reached = sum(1 for cell in cells if cell["selected"])
    return (
        f"{told}. Of {len(cells)} {nouns(len(cells), 'region')} of the map with samples, {reached} "
        f"({percent_text(reached, len(cells))}) {verb(reached, 'has', 'have')} a selected one."
    )
