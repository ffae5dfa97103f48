"""Two selections side by side: what they share in each group, and their ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.charts.bins import round_edges
from ig4.core.charts.frame import (
    PAGE,
    Chart,
    Size,
    axis_height,
    finished,
    percent_text,
    plain,
    rows,
)
from ig4.core.charts.layout import headroom, legend, legend_height, whole_ticks
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, short, shown
from ig4.core.charts.palette import ACCENT, REST, SELECTED
from ig4.core.counts import counted, verb
from ig4.core.statistics.ranks import rank_correlation

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_GROUPS = 20
MOST_POINTS = 4_000
_CELLS = 40


@dataclass(frozen=True, slots=True)
class GroupOverlap:
    """A group: how many of its samples only the first has, both have, only the second has."""

    name: str
    only_first: int
    both: int
    only_second: int

    @property
    def total(self) -> int:
        """How many of it either has."""
        return self.only_first + self.both + self.only_second


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two selections: `groups` (the largest first), and `ranks` (k, 2) int64 of what either has.

    A rank of 0 means that the selection has it not. `by` made the groups.
    """

    first: str
    second: str
    by: str
    groups: tuple[GroupOverlap, ...]
    ranks: NDArray[np.int64]

    @property
    def shared(self) -> NDArray[np.int64]:
        """The ranks (s, 2) of what both have."""
        return self.ranks[(self.ranks > 0).all(axis=1)]

    @property
    def jaccard(self) -> float:
        """What both have, by what either has (0 to 1); 1 for two empty selections."""
        return len(self.shared) / len(self.ranks) if len(self.ranks) else 1.0

    @property
    def correlation(self) -> float | None:
        """Spearman's correlation of the ranks of what both have."""
        shared = self.shared.astype(np.float64)
        return rank_correlation(shared[:, 0], shared[:, 1])

    def _ranks(self) -> dict[str, Any]:
        """Return the ranks, or of many how many are in each cell of a grid."""
        if len(self.ranks) <= MOST_POINTS:
            return {"ranks": self.ranks.tolist()}
        cells = _cells(self.shared.astype(np.float64))
        return {"cells": [{key: plain(one) for key, one in cell.items()} for cell in cells]}

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        return {
            "first": self.first,
            "second": self.second,
            "jaccard": plain(self.jaccard),
            "rank_correlation": plain(self.correlation),
            "by": self.by,
            "groups": [asdict(one) for one in self.groups],
            **self._ranks(),
        }


def overlap(
    first: str,
    second: str,
    first_rank: NDArray[np.int64],
    second_rank: NDArray[np.int64],
    *,
    by: str = "",
    group_names: Sequence[str] = (),
    group_labels: NDArray[np.int64] | None = None,
) -> Overlap:
    """Compare the ranks (n,) of two selections of n samples, 0 where one has it not.

    `group_labels` (n,) are places in `group_names`, -1 for a sample in no group.
    """
    found = []
    if group_labels is not None:
        kinds = (first_rank > 0).astype(np.int64) + 2 * (second_rank > 0)
        for n, name in enumerate(group_names):
            counts = np.bincount(kinds[group_labels == n], minlength=4).tolist()
            found.append(GroupOverlap(name, counts[1], counts[3], counts[2]))
    groups = sorted((one for one in found if one.total), key=lambda one: -one.total)
    ranks = np.column_stack([first_rank, second_rank])
    return Overlap(first, second, by, tuple(groups), ranks[ranks.any(axis=1)])


def overlap_chart(values: Overlap, size: Size = PAGE) -> Chart:
    """Draw a bar for each group: only the first has, both have, only the second has."""
    alt = altair()
    groups = drawn_groups(values)
    named = labels([one.name for one in groups])
    a, b = labels([values.first, values.second], 16)
    parts = [f"only {a}", "both", f"only {b}"]
    data = rows(
        {"label": label, "name": shown(one.name), "part": part, "place": place, "samples": count,
         "total": one.total}
        for label, one in zip(named, groups, strict=True)
        for place, (part, count) in enumerate(
            zip(parts, (one.only_first, one.both, one.only_second), strict=True)
        )
    )  # fmt: skip
    texts = rows(
        {"label": label, "total": one.total,
         "text": _counts(one)}
        for label, one in zip(named, groups, strict=True)
    )  # fmt: skip
    most = max((one.total for one in groups), default=1)
    told = [_counts(one) for one in groups]
    room = headroom(size, told, named)
    x = alt.X("samples:Q", title="samples that either selection has",
              axis=alt.Axis(values=whole_ticks(most, size)),
              scale=alt.Scale(domain=[0, max(1, most) * room]))  # fmt: skip
    y = alt.Y("label:N", title="group", sort=named, scale=alt.Scale(domain=named))
    bars = (
        alt.Chart(data)
        .mark_bar(size=16)
        .encode(
            x=x, y=y, order=alt.Order("place:Q"),
            color=alt.Color("part:N", title=None, legend=legend(size, parts, symbolType="square"),
                            scale=alt.Scale(domain=parts, range=[SELECTED, REST, ACCENT])),
            tooltip=[alt.Tooltip("name:N", title="group"), alt.Tooltip("part:N", title="in"),
                     alt.Tooltip("samples:Q", title="samples", format=","),
                     alt.Tooltip("total:Q", title="of", format=",")],
        )
    )  # fmt: skip
    counts = (
        alt.Chart(texts)
        .mark_text(align="left", dx=4, fontSize=10)
        .encode(x="total:Q", y=y, text="text:N")
    )
    return finished(
        alt.layer(bars, counts),
        size,
        title=f"{short(values.first, 14)} and {short(values.second, 14)}",
        about=[_told(values), f"by {short(values.by or 'group', 30)}; only {a} | both | only {b}"],
        description=_description(values),
        height=axis_height(len(groups), 26) + legend_height(size, parts),
    )


def _counts(one: GroupOverlap) -> str:
    return f"{one.only_first:,} | {one.both:,} | {one.only_second:,}"


def rank_chart(values: Overlap, size: Size = PAGE) -> Chart:
    """Draw the rank in the first against the rank in the second; many as a density."""
    alt = altair()
    shared = values.shared
    a, b = labels([values.first, values.second], 20)
    x = alt.X("x:Q", title=f"rank in {a}", scale=alt.Scale(zero=False))
    y = alt.Y("y:Q", title=f"rank in {b}", scale=alt.Scale(zero=False))
    if len(shared) <= MOST_POINTS:
        chart = (
            alt.Chart(rows({"x": one, "y": two} for one, two in shared.tolist()))
            .mark_point(filled=True, size=28, opacity=1, color=SELECTED, aria=False)
            .encode(x=x, y=y, tooltip=[alt.Tooltip("x:Q", title=f"rank in {a}"),
                                       alt.Tooltip("y:Q", title=f"rank in {b}")])
        )  # fmt: skip
    else:
        cells = _cells(shared.astype(np.float64))
        chart = (
            alt.Chart(rows(cells))
            .mark_rect(color=SELECTED, aria=False)
            .encode(
                x=x, x2="x2:Q", y=y, y2="y2:Q",
                opacity=alt.Opacity("samples:Q", title="samples in a cell",
                                    scale=alt.Scale(range=[0.1, 1])),
                tooltip=[alt.Tooltip("samples:Q", title="samples here", format=",")],
            )
        )  # fmt: skip
    return finished(
        chart,
        size,
        title="Rank against rank",
        about=[f"{counted(len(shared), 'sample')} that both have", _correlation(values)],
        description=_description(values),
        height=380,
    )


def _cells(points: NDArray[np.float64]) -> list[dict[str, Any]]:
    if not len(points):
        return []
    edges = [round_edges(points[:, axis], _CELLS) for axis in (0, 1)]
    grid, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=edges)
    return [
        {"x": edges[0][i], "x2": edges[0][i + 1], "y": edges[1][j], "y2": edges[1][j + 1],
         "samples": int(grid[i, j])}
        for i, j in np.argwhere(grid).tolist()
    ]  # fmt: skip


def drawn_groups(values: Overlap) -> list[GroupOverlap]:
    """Return the groups that get a row: the largest, and one for all others together."""
    groups = list(values.groups)
    if not groups:  # without groups all samples are one
        here = values.ranks > 0
        both = int(here.all(axis=1).sum())
        return [
            GroupOverlap(
                "all samples", int(here[:, 0].sum()) - both, both, int(here[:, 1].sum()) - both
            )
        ]
    if len(groups) <= MOST_GROUPS:
        return groups
    rest = groups[MOST_GROUPS - 1 :]
    others = GroupOverlap(
        counted(len(rest), "other group"),
        sum(one.only_first for one in rest),
        sum(one.both for one in rest),
        sum(one.only_second for one in rest),
    )
    return [*groups[: MOST_GROUPS - 1], others]


def _told(values: Overlap) -> str:
    both, either = len(values.shared), len(values.ranks)
    return f"{both:,} of {either:,} in both ({percent_text(both, either)})"


def _correlation(values: Overlap) -> str:
    found = values.correlation
    return "no rank correlation" if found is None else f"rank correlation {found:+.2f}"


def _description(values: Overlap) -> str:
    both = len(values.shared)
    first = int((values.ranks[:, 0] > 0).sum()) - both
    second = int((values.ranks[:, 1] > 0).sum()) - both
    return (
        f"{shown(values.first, 60)} and {shown(values.second, 60)}: {counted(both, 'sample')} "
        f"{verb(both, 'is', 'are')} in both, {first:,} only in the first, {second:,} only in the "
        f"second (Jaccard {values.jaccard:.2f}, {_correlation(values)})."
    )
