"""Prints what verdicts come to: the table, the bars, the position bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ig4.cli import render
from ig4.cli.stackedbars import Bar, text_bars

Told = Mapping[str, Any]
"""A summary as JSON has it: `Summary.to_dict()`."""

_COLUMNS = ("", "pairs", "win", "tie", "fail", "win rate [95 %]", "sign test", "relative [95 %]")


def print_summary(first: str, second: str, told: Told) -> None:
    """Print all of a summary; `first` and `second` are what both sides are called."""
    first, second = render.plain(first), render.plain(second)
    click.echo(f"{first} (win: it is better) against {second}")
    render.print_table(_COLUMNS, [_row(name, part) for name, part in _parts(told)])
    click.echo(f"relative: the score of {second} in percent of that of {first}")
    if told["overall"]["n"]:
        click.echo()
        for line in text_bars(bars(told)):
            click.echo(line)
    bias = told["position_bias"]
    if bias:
        click.echo(
            f"position bias: {_percent(bias['flips'])} of the verdicts change with the order; the "
            f"answer shown first won both times in {_percent(bias['first_shown'])}, the one shown "
            f"second in {_percent(bias['second_shown'])}"
        )


def bars(told: Told) -> list[Bar]:
    """Return the bars of a summary, the one of all pairs first."""
    return [
        Bar(render.plain(name).replace("\n", " "), part["win"], part["tie"], part["fail"])
        for name, part in _parts(told)
    ]


def _parts(told: Told) -> list[tuple[str, Told]]:
    return [("overall", told["overall"]), *told["categories"].items()]


def _row(name: str, part: Told) -> tuple[Any, ...]:
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


def relative(part: Told) -> str:
    """Return a relative score and its interval in words."""
    if part["relative"] is None:
        return ""
    low, high = part["relative_ci"]
    return f"{part['relative']:.1f} [{low:.1f}, {high:.1f}]"


def _percent(share: float | None, ci: tuple[float, float] | None = None) -> str:
    if share is None:
        return ""
    told = f"{100 * share:.1f} %"
    return told if ci is None else f"{told} [{100 * ci[0]:.1f}, {100 * ci[1]:.1f}]"
