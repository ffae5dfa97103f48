"""What a browser may store, with the token: selections by a name, and pins with a note."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ig4.core.engine.browsing.filters import SampleFilter
from ig4.core.engine.browsing.whatif import WhatIfRequest
from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.explain import recorded_request
from ig4.core.engine.selecting.pins import PinRequest, PinSource
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage import pins, samples

if TYPE_CHECKING:
    from ig4.core.engine.browsing.browsed import BrowsedSelection
    from ig4.core.engine.selecting.result import SelectionResult

BY_HAND = Choice("selector", "random")
"""The selector of a selection whose samples are all pinned: it reads nothing, and has no choice."""

PINS = ("keep", "drop", "none")
LONGEST_NOTE = 2_000


def store_filtered(
    browsed: BrowsedSelection, wanted: SampleFilter, name: str | None, note: str | None = None
) -> SelectionResult:
    """Store the samples that a filter asks for, in its order, as a selection.

    Raises:
        UsageError: there are none, or the name cannot be used.
    """
    view = browsed.view
    rows = browsed.rows(wanted)
    if not len(rows):
        raise UsageError("no sample is like this: clear a filter, then store what is left")
    ids = view.sample_ids[rows].tolist()
    with browsed.session.store.reading() as connection:
        named = samples.external_ids(connection, ids, view.dataset.id)
    source = PinSource(ids=tuple(named[one] for one in ids))
    request = SelectionRequest(
        size=len(ids), selector=BY_HAND, clustering=None, pins=PinRequest(keep=(source,))
    )
    told = note or f"chosen in the browser: {filter_text(wanted)}"
    return select(browsed.session, view.dataset, request, name=name, note=told if name else None)


def filter_text(wanted: SampleFilter) -> str:
    """Return what a filter asks for, in words."""
    parts = [f"{wanted.view} samples"]
    if wanted.q:
        parts.append(f"with the words {wanted.q!r}")
    named = {"fate": wanted.fate, "group": wanted.group, "cluster": wanted.cluster}
    parts += [f"{name} {value}" for name, value in named.items() if value is not None]
    parts += [f"{name}{_range_text(*ends)}" for name, ends in wanted.ranges.items()]
    return ", ".join(parts)


def _range_text(low: float, high: float) -> str:
    """Return the ends of a range that are no infinity, in words."""
    least = "" if math.isinf(low) else f" from {low:g}"
    return least + ("" if math.isinf(high) else f" to {high:g}")


def store_whatif(
    browsed: BrowsedSelection, asked: WhatIfRequest, name: str | None, note: str | None = None
) -> SelectionResult:
    """Store what would be selected with other weights, another size or scale.

    Raises:
        UsageError: as `WhatIf.select`; or the name cannot be used.
    """
    view = browsed.view
    browsed.whatif.select(asked)  # says what is wrong, before anything is stored
    request = recorded_request(view.selection)
    weights = {column.name: float(column.weight or 0.0) for column in view.counting}
    weights |= {name: w for name, w in asked.weights.items() if w or name in weights}
    request = replace(
        request,
        size=len(view.selected) if asked.size is None else asked.size,
        fraction=None,
        scorers=tuple(weights) or None,
        weights=weights,
        scale=asked.scale or request.scale,
    )
    return select(browsed.session, view.dataset, request, name=name, note=note if name else None)


def store_pin(browsed: BrowsedSelection, row: int, pin: str, note: str | None) -> None:
    """Pin a sample, veto it, or take back what was said of it.

    Raises:
        UsageError: there is no such row or pin, or the note is too long.
    """
    view = browsed.view
    if not 0 <= row < len(view):
        raise UsageError(f"there is no row {row:,}: the data set has {len(view):,}")
    if pin not in PINS:
        raise UsageError(f"pin={pin!r} is none of {', '.join(PINS)}")
    if note is not None and len(note) > LONGEST_NOTE:
        raise UsageError(f"a note has {LONGEST_NOTE:,} characters at most")
    sample = int(view.sample_ids[row])
    with browsed.session.store.writing() as connection:
        if pin == "none":
            pins.remove(connection, view.dataset.id, [sample])
        else:
            pins.put(connection, view.dataset.id, [sample], keep=pin == "keep", note=note)


def text_of(value: Mapping[str, Any], name: str) -> str | None:
    """Return a text of what was sent, None where it is empty.

    Raises:
        UsageError: it is no text.
    """
    found = value.get(name)
    if found is None:
        return None
    if not isinstance(found, str):
        raise UsageError(f"{name} is no text")
    return found.strip() or None


def query_of(value: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the query of an address that was sent as a value.

    Raises:
        UsageError: it is none.
    """
    found = value.get(name)
    if not isinstance(found, Mapping):
        raise UsageError(f"{name} is no object with values")
    return {str(key): str(one) for key, one in found.items()}
