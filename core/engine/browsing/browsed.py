"""A selection that is being looked at: its view in memory, and what was computed from it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.browsing.filters import SampleFilter, matching, ordered
from ig4.core.engine.browsing.mapdensity import normalised_places
from ig4.core.engine.browsing.whatif import WhatIf
from ig4.core.engine.pooling.spaces import SpaceVectors, space_vectors
from ig4.core.engine.reporting.map import SampleMap, selection_map
from ig4.core.errors import Ig4Error
from ig4.storage import samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.reporting.view import SelectionView
    from ig4.core.engine.session import Session

BINS = 40
_KEPT = 16


class BrowsedSelection:
    """A view with its map, histograms and filters; may be asked from several threads."""

    def __init__(
        self, session: Session, view: SelectionView, method: str, space: str | None
    ) -> None:
        self.session = session
        self.view = view
        self.method = method
        self.space = space
        self._lock = Lock()
        self._searches: OrderedDict[str, NDArray[np.int64]] = OrderedDict()
        self._orders: OrderedDict[str, NDArray[np.int64]] = OrderedDict()

    def warm(self) -> None:
        """Make what the first page asks for, so that it need not wait."""
        _ = self.bins, self.places

    @cached_property
    def map(self) -> SampleMap | None:
        """The map, None if the data set has none."""
        return selection_map(self.session, self.view, method=self.method, space=self.space)

    @cached_property
    def vectors(self) -> SpaceVectors | None:
        """The vectors that the map lays out, by which samples have neighbours; None without any."""
        if self.map is None:
            return None
        view = self.view
        with suppress(Ig4Error):
            return space_vectors(
                self.session, view.dataset, self.map.space, {}, view.sample_ids, view.contents
            )
        return None

    @cached_property
    def places(self) -> NDArray[np.float32] | None:
        """The places (n, 2) of the map, from 0 to 1; NaN for samples without one."""
        return None if self.map is None else normalised_places(self.map.coordinates)

    @cached_property
    def whatif(self) -> WhatIf:
        """What selects again."""
        return WhatIf(self.session, self.view)

    @cached_property
    def bins(self) -> Mapping[str, tuple[NDArray[np.float64], NDArray[np.int16]]]:
        """By indicator the edges (BINS + 1,) of its histogram, and the bin (n,) of each sample.

        The bin of a sample without a value is -1. `final` is among them where there are any.
        """
        named = {column.name: column.raw for column in self.view.columns}
        if not np.isnan(self.view.final).all():
            named = {"final": self.view.final, **named}
        found = {}
        for name, values in named.items():
            known = ~np.isnan(values)
            if not known.any():
                continue
            low, high = float(values[known].min()), float(values[known].max())
            edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
            bins = np.full(len(values), -1, dtype=np.int16)
            inside = np.searchsorted(edges, values[known], side="right") - 1
            bins[known] = np.clip(inside, 0, BINS - 1)
            found[name] = (edges, bins)
        return found

    def search(self, text: str) -> NDArray[np.int64]:
        """Return the ids of the samples that say all words of a text; the last ones are kept."""
        with self._lock:
            if text in self._searches:
                self._searches.move_to_end(text)
                return self._searches[text]
        with self.session.store.reading() as connection:
            found = samples.ids_saying(connection, self.view.dataset.id, text.split())
        with self._lock:
            _keep(self._searches, text, found)
        return found

    def mask(self, wanted: SampleFilter, *, leave_out: str | None = None) -> NDArray[np.bool_]:
        """Return which rows (n,) a filter asks for.

        Raises:
            UsageError: as `matching`.
        """
        places = self.places if {"x", "y"} & set(wanted.ranges) else None
        return matching(self.view, wanted, self.search, places, leave_out=leave_out)

    def rows(self, wanted: SampleFilter) -> NDArray[np.int64]:
        """Return the rows that a filter asks for in its order; the last ones are kept.

        Raises:
            UsageError: as `matching`.
        """
        key = repr(wanted)
        with self._lock:
            if key in self._orders:
                self._orders.move_to_end(key)
                return self._orders[key]
        found = ordered(self.view, self.mask(wanted), wanted)
        with self._lock:
            _keep(self._orders, key, found)
        return found

    def histograms(self, wanted: SampleFilter) -> dict[str, Any]:
        """Return by indicator how many samples are in each bin: of all, and of those selected.

        A histogram counts what the other filters leave. Its edges have six digits, but for the
        first and the last: these are the least and the most value, and leave none out.
        """
        found = {}
        chosen = self.view.rank > 0
        whole = self.mask(wanted)
        for name, (edges, bins) in self.bins.items():
            mask = self.mask(wanted, leave_out=name) if name in wanted.ranges else whole
            known = mask & (bins >= 0)
            found[name] = {
                "edges": _shortened(edges),
                "all": np.bincount(bins[known], minlength=BINS).tolist(),
                "selected": np.bincount(bins[known & chosen], minlength=BINS).tolist(),
            }
        return found


def _shortened(edges: NDArray[np.float64]) -> list[float]:
    first, *inner, last = edges.tolist()
    return [first, *(float(f"{edge:.6g}") for edge in inner), last]


def _keep(cache: OrderedDict[str, NDArray[np.int64]], key: str, value: NDArray[np.int64]) -> None:
    cache[key] = value
    while len(cache) > _KEPT:
        cache.popitem(last=False)
