"""Which samples a page shows one by one: all of a small data set, and else those worth seeing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.reporting.galleries import Gallery
    from ig4.core.engine.reporting.view import SelectionView

ALL = 5_000
"""A data set of no more samples is shown whole."""

LEAST = 1_000
"""Of a larger one, so many of the samples that are in no gallery are drawn at least."""


@dataclass(frozen=True, slots=True)
class ShownSamples:
    """The `rows` (k,) int64 of a view that a page shows, in its order, and which these are.

    `first` (k,) int64 are the same rows, those first that must not be without a picture.
    """

    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    drawn: int
    told: str


def shown_samples(
    view: SelectionView, galleries: Sequence[Gallery], most: int = ALL
) -> ShownSamples:
    """Return the samples to show: all if there are `most` at most, else the selected, those of the
    galleries, and others drawn by the seed of the selection: as many as fill `most`, and LEAST or
    `most` of them at least.
    """
    n = len(view)
    wanted = [view.selected, *(np.array(one.rows, dtype=np.int64) for one in galleries)]
    named = np.array(list(dict.fromkeys(np.concatenate(wanted).tolist())), dtype=np.int64)
    if n <= most:
        rest = np.setdiff1d(np.arange(n), named)
        return ShownSamples(np.arange(n), np.concatenate([named, rest]), 0, f"all {n:,} samples")
    others = np.setdiff1d(np.arange(n), named)
    count = min(len(others), max(min(LEAST, most), most - len(named)))
    rng = np.random.default_rng(int(view.selection.config.get("seed") or 0))
    drawn = np.sort(rng.choice(others, count, replace=False))
    told = (
        f"all {len(view.selected):,} selected samples, those of the galleries, and {count:,} of "
        f"the other {len(others):,}, drawn by the seed of the selection"
    )
    return ShownSamples(
        np.sort(np.concatenate([named, drawn])), np.concatenate([named, drawn]), count, told
    )
