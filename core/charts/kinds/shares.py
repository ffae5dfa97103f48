"""What a selection is made of beside its pool: the shares of groups, and of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ig4.core.charts.frame import (
    PAGE,
    Chart,
    Size,
    axis_height,
    finished,
    percent_text,
    rows,
    share,
)
from ig4.core.charts.layout import headroom, legend, legend_height, ticks
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, short, shown
from ig4.core.charts.palette import ACCENT, REST, SELECTED
from ig4.core.counts import counted

MOST = 20
"""So many groups or clusters at most have a row of their own."""

_LEAST_CHANGE = 0.5  # percentage points that are worth telling

_POOL, _CHOSEN, _QUOTA = "of all samples", "of the selection", "quota"
_COLOURS = [REST, SELECTED, ACCENT]
_SHAPES = ["square", "square", "diamond"]


@dataclass(frozen=True, slots=True)
class PartCount:
    """A group or cluster: its samples, those selected of them, and its quota if it has one."""

    name: str
    pool: int
    selected: int
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class PartShares:
    """The parts of a data set, the largest first, and of a selection of it.

    `kind` is what the parts are called ("group", "cluster"), `by` what made them. Where parts
    overlap, shares are of all memberships: `memberships` of the pool, `selected` of the selection.
    """

    kind: str
    by: str
    parts: tuple[PartCount, ...]

    @property
    def memberships(self) -> int:
        """The sum over the parts."""
        return sum(one.pool for one in self.parts)

    @property
    def selected(self) -> int:
        """The sum of the selected over the parts."""
        return sum(one.selected for one in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        return {"by": self.by, f"{self.kind}s": [asdict(one) for one in self.parts]}


def part_shares(kind: str, by: str, parts: Sequence[PartCount]) -> PartShares:
    """Return parts with the largest first; of equal ones the first named comes first."""
    ordered = sorted((one for one in parts if one.pool or one.selected), key=lambda one: -one.pool)
    return PartShares(kind, by, tuple(ordered))


def composition_shares(composition: Mapping[str, Any]) -> PartShares:
    """Return the parts that the `composition` of a selection's report tells."""
    parts = [
        PartCount(str(one["name"]), int(one["pool"]), int(one["selected"]))
        for one in composition["groups"]
    ]
    return part_shares("group", str(composition["by"]), parts)


def drawn_parts(values: PartShares, most: int = MOST) -> list[PartCount]:
    """Return the parts that get a row: the largest, and one for all others together."""
    if len(values.parts) <= most:
        return list(values.parts)
    rest = values.parts[most - 1 :]
    quotas = [one.quota for one in rest if one.quota is not None]
    others = PartCount(
        f"{counted(len(rest), f'other {values.kind}')}",
        sum(one.pool for one in rest),
        sum(one.selected for one in rest),
        sum(quotas) if quotas else None,
    )
    return [*values.parts[: most - 1], others]


def share_chart(values: PartShares, size: Size = PAGE) -> Chart:
    """Draw two bars for each part: its share of the pool above its share of the selection.

    Where parts have quotas, a tick marks the quota as a share of the selection.
    """
    alt = altair()
    parts = drawn_parts(values)
    named = labels([one.name for one in parts])
    has_quota = any(one.quota is not None for one in parts)
    domain = [_POOL, _CHOSEN, _QUOTA][: 3 if has_quota else 2]
    drawn = _bars(values, parts, named)
    most = max((one["share"] for one in drawn), default=0.0) or 1.0
    room = headroom(size, [one["text"] for one in drawn], named)
    place = {
        "x": alt.X("share:Q", title="share (%)", axis=alt.Axis(values=ticks(most, size)),
                   scale=alt.Scale(domain=[0, most * room])),
        "y": alt.Y("label:N", title=values.kind, sort=named, scale=alt.Scale(domain=named)),
        "yOffset": alt.YOffset("bar:N", sort=[_POOL, _CHOSEN],
                               scale=alt.Scale(domain=[_POOL, _CHOSEN], paddingInner=0.1)),
    }  # fmt: skip
    key = legend(size, domain, symbolSize=90)
    colour = alt.Color("who:N", title=None, legend=key,
                       scale=alt.Scale(domain=domain, range=_COLOURS[: len(domain)]))  # fmt: skip
    base = alt.Chart(rows(drawn))
    layers = [
        base.mark_bar().encode(**place, color=colour, tooltip=_tips(values.kind, has_quota)),
        base.mark_text(align="left", dx=9 if has_quota else 4, fontSize=10).encode(
            **place, text="text:N"
        ),
    ]
    if has_quota:
        shape = alt.Shape("who:N", title=None, legend=key,
                          scale=alt.Scale(domain=domain, range=_SHAPES))  # fmt: skip
        marks = alt.Chart(_quotas(parts, named)).mark_point(filled=True, opacity=1, size=60)
        tips = [
            alt.Tooltip("name:N", title=values.kind),
            alt.Tooltip("quota:Q", title="quota", format=","),
        ]
        layers.append(marks.encode(**place, color=colour, shape=shape, tooltip=tips))
    return finished(
        alt.layer(*layers),
        size,
        title=f"{values.kind.capitalize()}s in pool and selection",
        about=_about(values),
        description=share_description(values),
        height=axis_height(len(parts), 32) + legend_height(size, domain),
    )


def _tips(kind: str, has_quota: bool) -> list[Any]:
    alt = altair()
    return [
        alt.Tooltip("name:N", title=kind),
        alt.Tooltip("pool:Q", title="samples", format=","),
        alt.Tooltip("selected:Q", title="selected", format=","),
        *([alt.Tooltip("quota:Q", title="quota", format=",")] if has_quota else []),
        alt.Tooltip("pool_share:Q", title="of all samples (%)", format=".1f"),
        alt.Tooltip("selected_share:Q", title="of the selection (%)", format=".1f"),
    ]


def _bars(
    values: PartShares, parts: Sequence[PartCount], named: Sequence[str]
) -> list[dict[str, Any]]:
    found = []
    for label, one in zip(named, parts, strict=True):
        shares = share(one.pool, values.memberships), share(one.selected, values.selected)
        both = {
            "label": label,
            "name": shown(one.name),
            "pool": one.pool,
            "selected": one.selected,
            "quota": one.quota,
            "pool_share": shares[0],
            "selected_share": shares[1],
        }
        pool = f"{percent_text(one.pool, values.memberships)} ({one.pool:,})"
        chosen = f"{percent_text(one.selected, values.selected)} ({one.selected:,})"
        found.append({**both, "who": _POOL, "bar": _POOL, "share": shares[0], "text": pool})
        found.append({**both, "who": _CHOSEN, "bar": _CHOSEN, "share": shares[1], "text": chosen})
    return found


def _quotas(parts: Sequence[PartCount], named: Sequence[str]) -> Any:
    """Return the quotas as rows, each a share of the sum of all quotas."""
    total = sum(one.quota or 0 for one in parts)
    return rows(
        {"label": label, "name": shown(one.name), "quota": one.quota, "who": _QUOTA,
         "bar": _CHOSEN, "share": share(one.quota, total)}
        for label, one in zip(named, parts, strict=True)
        if one.quota is not None
    )  # fmt: skip


def _about(values: PartShares) -> list[str]:
    if not values.parts:
        return [f"there are no {values.kind}s"]
    told = f"{counted(len(values.parts), values.kind)} by {short(values.by, 24)}"
    return [f"{told}; the largest first" if len(values.parts) > 1 else told]


def share_description(values: PartShares) -> str:
    """Return what the chart of parts shows, in numbers."""
    start = f"Shares of {counted(len(values.parts), values.kind)} in the pool and the selection."
    if not values.parts:
        return f"There are no {values.kind}s."
    if not values.selected:
        return start
    told = [
        (
            one,
            share(one.selected, values.selected) - share(one.pool, values.memberships),
        )
        for one in values.parts
    ]
    grown = max(told, key=lambda pair: pair[1])[0]
    shrunk = min(told, key=lambda pair: pair[1])[0]
    if grown is shrunk or max(abs(change) for _, change in told) < _LEAST_CHANGE:
        return f"{start} No share differs by half a percentage point."
    return f"{start} {_moved(values, grown)} (grown most); {_moved(values, shrunk)} (shrunk most)."


def _moved(values: PartShares, one: PartCount) -> str:
    before = share(one.pool, values.memberships)
    after = share(one.selected, values.selected)
    return f"{shown(one.name, 60)} has {before:.1f} % of the pool, {after:.1f} % of the selection"
