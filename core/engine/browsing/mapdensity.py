"""What a browser draws of a map of any size: the density of samples, or the points themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 20_000
"""So many points are drawn as such; of more, their density."""

CELLS = 256
"""Cells of the density, along each side."""


@dataclass(frozen=True, slots=True)
class MapBox:
    """A part of the map: the least and the most x and y, from 0 to 1."""

    left: float = 0.0
    bottom: float = 0.0
    right: float = 1.0
    top: float = 1.0


@dataclass(frozen=True, slots=True)
class MapPoints:
    """The points in a box: rows (k,) int64 of a view, and which are selected (k,)."""

    rows: NDArray[np.int64]
    selected: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MapDensity:
    """How many samples (CELLS, CELLS) int64 are in each cell of a box, from the bottom left.

    `selected` counts those of them that are selected.
    """

    everyone: NDArray[np.int64]
    selected: NDArray[np.int64]


def normalised_places(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return coordinates (n, 2) between 0 and 1; NaN stays, and of equal ones all are at 0.5."""
    known = ~np.isnan(coordinates).any(axis=1)
    found = np.full(coordinates.shape, np.nan, dtype=np.float32)
    if known.any():
        points = coordinates[known].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        width = np.where(high > low, high - low, 1.0)
        found[known] = np.where(high > low, (points - low) / width, 0.5)
    return found


def map_part(
    places: NDArray[np.float32],
    mask: NDArray[np.bool_],
    selected: NDArray[np.bool_],
    box: MapBox,
    points: int = POINTS,
) -> MapPoints | MapDensity:
    """Return what to draw of the samples of a mask (n,) in a box of places (n, 2)."""
    x, y = places[:, 0], places[:, 1]
    inside = mask & (x >= box.left) & (x <= box.right) & (y >= box.bottom) & (y <= box.top)
    rows = np.flatnonzero(inside)  # NaN is in no box
    if len(rows) <= points:
        return MapPoints(rows, selected[rows])
    cells = _cells(x[rows], box.left, box.right) + CELLS * _cells(y[rows], box.bottom, box.top)
    counts = np.bincount(cells, minlength=CELLS * CELLS)
    chosen = np.bincount(cells[selected[rows]], minlength=CELLS * CELLS)
    return MapDensity(counts.reshape(CELLS, CELLS), chosen.reshape(CELLS, CELLS))


def _cells(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.int64]:
    width = (high - low) or 1.0
    cells: NDArray[np.int64] = np.clip((values - low) / width * CELLS, 0, CELLS - 1).astype(
        np.int64
    )
    return cells
