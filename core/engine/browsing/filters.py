"""Which samples a browser shows: a filter from the address of a page, as rows of a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.reporting.view import SelectionView

Search = Callable[[str], "NDArray[np.int64]"]
"""Returns the ids of the samples that say all words of a text."""

VIEWS = ("all", "selected", "rest")
MAP = ("x", "y")
"""The ranges that are of the map and of no indicator."""

LONGEST_SEARCH, MOST_WORDS = 1_000, 30


@dataclass(frozen=True, slots=True)
class SampleFilter:
    """What samples must be like; "" and None ask for nothing.

    `ranges` are by indicator the least and the most raw value, infinite where a side is open, and
    of `x` and `y` those of the map, from 0 to 1. `sort` is "rank", "final", "row", or an indicator
    after "by:"; `down` turns it.
    """

    view: str = "selected"
    q: str = ""
    fate: int | None = None
    group: int | None = None
    cluster: int | None = None
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sort: str = ""
    down: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> SampleFilter:
        """Return the filter of the query of an address.

        Raises:
            UsageError: a value is none; names it.
        """
        view = query.get("view", "selected")
        if view not in VIEWS:
            raise UsageError(f"view={view!r} is none of {', '.join(VIEWS)}")
        ranges = {
            name.removeprefix("range."): _range(name, value)
            for name, value in query.items()
            if name.startswith("range.")
        }
        numbers = {name: _whole(name, query.get(name, "")) for name in ("fate", "group", "cluster")}
        return cls(
            view=view,
            q=_words(query.get("q", "")),
            ranges=ranges,
            sort=query.get("sort", ""),
            down=query.get("down") == "1",
            **numbers,
        )


def _words(text: str) -> str:
    """Return what is searched for.

    Raises:
        UsageError: it is more than a database can be asked for at once, or cannot be in a text.
    """
    if len(text) > LONGEST_SEARCH or len(text.split()) > MOST_WORDS:
        raise UsageError(
            f"q has more than {MOST_WORDS} words, or {LONGEST_SEARCH:,} characters: search for less"
        )
    if "\0" in text:
        raise UsageError("q has a character in it that no text has (NUL)")
    return text.strip()


def _whole(name: str, value: str) -> int | None:
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise UsageError(f"{name}={value!r} is no number") from None


def _range(name: str, value: str) -> tuple[float, float]:
    low_text, comma, high_text = value.partition(",")
    try:
        low = float(low_text or "-inf")
        high = float(high_text or "inf")
    except ValueError:
        comma = ""
    if not comma:
        raise UsageError(f"{name}={value!r} is not two numbers with a comma")
    if not low <= high:  # NaN is neither
        raise UsageError(f"{name}={value!r} is no range: the first is not the lower one")
    return low, high


def matching(
    view: SelectionView,
    wanted: SampleFilter,
    search: Search,
    places: NDArray[np.float32] | None = None,
    *,
    leave_out: str | None = None,
) -> NDArray[np.bool_]:
    """Return which rows (n,) of a view a filter asks for.

    `places` (n, 2) are those of the map, from 0 to 1. The range of `leave_out` does not count: a
    histogram shows what its own filter leaves out, too.

    Raises:
        UsageError: a range is of an indicator that there is not.
    """
    mask = np.ones(len(view), dtype=bool)
    if wanted.view != "all":
        mask &= (view.rank > 0) == (wanted.view == "selected")
    if wanted.fate is not None:
        mask &= view.fate == wanted.fate
    if wanted.group is not None:
        mask &= _of_group(view, wanted.group)
    if wanted.cluster is not None and view.clusters is not None:
        mask &= view.clusters == wanted.cluster
    for name, (low, high) in wanted.ranges.items():
        if name != leave_out:
            values = _values(view, name, places)
            mask &= (values >= low) & (values <= high)
    if wanted.q:
        mask &= np.isin(view.sample_ids, search(wanted.q))
    return mask


def _of_group(view: SelectionView, label: int) -> NDArray[np.bool_]:
    if view.groups is None:
        return np.zeros(len(view), dtype=bool)
    if view.groups.members is None:
        single: NDArray[np.bool_] = view.groups.labels == label
        return single
    starts, labels = view.groups.members
    rows = np.repeat(np.arange(len(view)), np.diff(starts))
    return np.isin(np.arange(len(view)), rows[labels == label])


def _values(
    view: SelectionView, name: str, places: NDArray[np.float32] | None
) -> NDArray[np.float64]:
    """Return the values (n,) that a range is of."""
    if name not in MAP:
        return _scores(view, name, f"range.{name}")
    if places is None:
        raise UsageError("this data set has no map: a range of x and y leads nowhere")
    return places[:, MAP.index(name)].astype(np.float64)


def _scores(view: SelectionView, name: str, asked: str) -> NDArray[np.float64]:
    """Return F(x) or the scores (n,) of a name, for what the address asked."""
    if name == "final":
        return view.final
    for column in view.columns:
        if column.name == name:
            return column.raw
    raise UsageError(f"{asked}: there are no scores called {name!r}")


def ordered(
    view: SelectionView, mask: NDArray[np.bool_], wanted: SampleFilter
) -> NDArray[np.int64]:
    """Return the rows (k,) int64 of a mask (n,) in the order of a filter.

    Samples without the value that is sorted by come last, whichever way round.
    """
    rows = np.flatnonzero(mask)
    sort = wanted.sort or ("rank" if wanted.view == "selected" else "row")
    if sort == "row":
        return rows[::-1] if wanted.down else rows
    key = _sort_key(view, sort)[rows]
    key = -key if wanted.down else key
    return rows[np.argsort(key, kind="stable")]  # NaN comes last


def _sort_key(view: SelectionView, sort: str) -> NDArray[np.float64]:
    if sort == "rank":
        return np.where(view.rank > 0, view.rank, np.nan).astype(np.float64)
    if sort != "final" and not sort.startswith("by:"):
        raise UsageError(f"sort={sort!r} is none of rank, final, row, and by: with a score's name")
    return _scores(view, sort.removeprefix("by:"), f"sort={sort}")
