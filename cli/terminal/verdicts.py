"""Prints a summary of verdicts: the table, the bars and the position bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ig4.cli.terminal import render
from ig4.cli.terminal.stackedbars import Bar, text_bars

SummaryDict = Mapping[str, Any]
"""A summary, or one part of it, in JSON form: see `Summary.to_dict()`."""

_COLUMNS = ("", "pairs", "win", "tie", "fail", "win rate [95 %]", "sign test", "relative [95 %]")


def print_summary(first: str, second: str, summary: SummaryDict) -> None:
    """Print a summary; `first` and `second` are the names of both sides."""
    first, second = render.plain(first), render.plain(second)
    click.echo(f"{first} (win: it is better) against {second}")
    render.print_table(_COLUMNS, [_row(name, part) for name, part in _parts(summary)])
    click.echo(f"relative: the score of {second} in percent of that of {first}")
    if summary["overall"]["n"]:
        click.echo()
        for line in text_bars(bars(summary)):
            click.echo(line)
    bias = summary["position_bias"]
    if bias:
        click.echo(
            f"position bias: {_percent(bias['flips'])} of the verdicts change with the order; the "
            f"answer shown first won both times in {_percent(bias['first_shown'])}, the one shown "
            f"second in {_percent(bias['second_shown'])}"
        )


def bars(summary: SummaryDict) -> list[Bar]:
    """Return the bars of a summary: that of all pairs, then one for each category."""
    return [
        Bar(render.plain(name).replace("\n", " "), part["win"], part["tie"], part["fail"])
        for name, part in _parts(summary)
    ]


def _parts(summary: SummaryDict) -> list[tuple[str, SummaryDict]]:
    return [("overall", summary["overall"]), *summary["categories"].items()]


def _row(name: str, part: SummaryDict) -> tuple[Any, ...]:
    p = part["p_value"]
    return (
        name,
        part["n"],
        part["win"],
        part["tie"],
        part["fail"],
        _percent(part["win_rate"], part["win_rate_ci"]),
        "" if p is None else "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}",
        relative(part),
    )


def relative(part: SummaryDict) -> str:
    """Return a relative score and its interval as text."""
    if part["relative"] is None:
        return ""
    low, high = part["relative_ci"]
    return f"{part['relative']:.1f} [{low:.1f}, {high:.1f}]"


def _percent(share: float | None, ci: tuple[float, float] | None = None) -> str:
    if share is None:
        return ""
    percent = f"{100 * share:.1f} %"
    return percent if ci is None else f"{percent} [{100 * ci[0]:.1f}, {100 * ci[1]:.1f}]"
