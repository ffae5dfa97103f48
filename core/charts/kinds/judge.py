"""Which of two models answers better: wins, ties and losses of the first, by category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ig4.core.charts.frame import PAGE, Chart, Size, axis_height, finished, rows, share
from ig4.core.charts.layout import headroom, room
from ig4.core.charts.library import altair
from ig4.core.charts.names import labels, short, shown
from ig4.core.charts.palette import ACCENT, REST, SELECTED
from ig4.core.counts import counted

MOST = 24
PARTS = ("win", "tie", "loss")


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """The pairs of a category; `interval` is that of the share of wins, 0 to 1, or None."""

    name: str
    win: int
    tie: int
    loss: int
    interval: tuple[float, float] | None = None

    @property
    def total(self) -> int:
        """The number of pairs."""
        return self.win + self.tie + self.loss


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Verdicts on the answers of `first` against those of `second`: all together first."""

    first: str
    second: str
    counts: tuple[VerdictCount, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the values, JSON-able."""
        counts = [asdict(one) | {"interval": one.interval and list(one.interval)}
                  for one in self.counts]  # fmt: skip
        return {"first": self.first, "second": self.second, "categories": counts}


def verdicts(first: str, second: str, summary: Mapping[str, Any]) -> Verdicts:
    """Return the counts of a stored summary: of all pairs, then of each category."""
    parts = [("all pairs", summary["overall"]), *summary["categories"].items()]
    return Verdicts(first, second, tuple(_count(name, one) for name, one in parts))


def _count(name: str, one: Mapping[str, Any]) -> VerdictCount:
    ci = one.get("win_rate_ci")
    interval = None if ci is None else (float(ci[0]), float(ci[1]))
    return VerdictCount(str(name), int(one["win"]), int(one["tie"]), int(one["fail"]), interval)


def judge_chart(values: Verdicts, size: Size = PAGE) -> Chart:
    """Draw bars of equal length: wins from the left, then ties, then losses.

    A line through the end of the wins is the 95 % interval of their share.
    """
    alt = altair()
    counts = values.counts[:MOST]
    named = labels([one.name for one in counts])
    texts_beside = [f"{one.win} | {one.tie} | {one.loss}" for one in counts]
    y = alt.Y("label:N", title="category", sort=named, scale=alt.Scale(domain=named))
    longest = 100 * headroom(size, texts_beside, named)
    marked = [0, 25, 50, 75, 100] if room(size) >= 500 else [0, 50, 100]
    x = {"title": "share of pairs (%)", "scale": alt.Scale(domain=[0, longest]),
         "axis": alt.Axis(values=marked)}  # fmt: skip
    bars = (
        alt.Chart(rows(_bars(counts, named)))
        .mark_bar(size=16)
        .encode(
            x=alt.X("start:Q", **x), x2="end:Q", y=y,
            color=alt.Color("part:N", title=None, legend=alt.Legend(symbolType="square"),
                            scale=alt.Scale(domain=list(PARTS), range=[SELECTED, REST, ACCENT])),
            tooltip=[alt.Tooltip("name:N", title="category"),
                     alt.Tooltip("part:N", title="first answer"),
                     alt.Tooltip("pairs:Q", title="pairs", format=","),
                     alt.Tooltip("share:Q", title="share (%)", format=".1f")],
        )
    )  # fmt: skip
    texts = (
        alt.Chart(rows(
            {"label": label, "at": 100, "text": text}
            for label, text in zip(named, texts_beside, strict=True)
        ))
        .mark_text(align="left", dx=5, fontSize=10)
        .encode(x=alt.X("at:Q", **x), y=y, text="text:N")
    )  # fmt: skip
    layers = [bars, texts, *_intervals(counts, named, x, y)]
    about = [f"{short(values.first, 24)} against {short(values.second, 24)}", "win | tie | loss"]
    if any(one.interval for one in counts):
        about[-1] += "; line: 95 % interval of the wins"
    if len(values.counts) > MOST:
        about.append(f"{len(values.counts) - MOST} more categories are not shown")
    return finished(
        alt.layer(*layers),
        size,
        title="Verdicts of the judge",
        about=about,
        description=_description(values),
        height=axis_height(len(counts), 27) + 16,
    )


def _bars(counts: Sequence[VerdictCount], named: Sequence[str]) -> list[dict[str, Any]]:
    found = []
    for label, one in zip(named, counts, strict=True):
        start = 0
        for part, pairs in zip(PARTS, (one.win, one.tie, one.loss), strict=True):
            found.append(
                {
                    "label": label,
                    "name": shown(one.name),
                    "part": part,
                    "pairs": pairs,
                    "share": share(pairs, one.total),
                    "start": share(start, one.total),
                    "end": share(start + pairs, one.total),
                }
            )
            start += pairs
    return found


def _intervals(
    counts: Sequence[VerdictCount], named: Sequence[str], x: Mapping[str, Any], y: Any
) -> list[Chart]:
    alt = altair()
    data = [
        {"label": label, "low": 100 * one.interval[0], "high": 100 * one.interval[1]}
        for label, one in zip(named, counts, strict=True)
        if one.interval is not None
    ]
    if not data:
        return []
    base = alt.Chart(rows(data))
    tips = [alt.Tooltip("low:Q", title="wins at least (%)", format=".1f"),
            alt.Tooltip("high:Q", title="at most (%)", format=".1f")]  # fmt: skip
    rule = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", **x), x2="high:Q", y=y, tooltip=tips
    )
    ends = [
        base.mark_tick(thickness=2, size=10).encode(x=alt.X(f"{end}:Q", **x), y=y, tooltip=tips)
        for end in ("low", "high")
    ]
    return [rule, *ends]


def _description(values: Verdicts) -> str:
    if not values.counts or not values.counts[0].total:
        return "Verdicts of the judge: no pair is judged."
    one = values.counts[0]
    interval = ""
    if one.interval is not None:
        interval = f" (95 % interval {100 * one.interval[0]:.0f} to {100 * one.interval[1]:.0f} %)"
    return (
        f"Verdicts on {counted(one.total, 'pair')}: {shown(values.first, 60)} wins {one.win}, "
        f"{share(one.win, one.total):.0f} %{interval}, ties {one.tie}, loses {one.loss} against "
        f"{shown(values.second, 60)}."
    )
