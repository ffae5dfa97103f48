"""Says what a check-up found, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ig4.cli.terminal import render

if TYPE_CHECKING:
    from ig4.core.engine.checkups.findings import CheckResult, ColumnCheckup


def verdicts_text(result: CheckResult) -> str:
    """Return the verdicts in a line, with the gravest reason of each that is noise."""
    told = (f"{one.name} {_verdict_text(one)}" for one in result.columns)
    return f"{'; '.join(told)} ({result.seconds:.1f} s)"


def _verdict_text(one: ColumnCheckup) -> str:
    if one.saturation is not None and one.saturation.distinct == 1:
        return "equal for all samples"  # of hygiene scores, what one hopes for
    return one.verdict + (f" ({one.reasons[0]})" if one.verdict == "noise" else "")


def print_check(result: CheckResult) -> None:
    """Print a row for each column, how they agree, and the reasons of the verdicts."""
    render.print_table(
        (
            "scores", "verdict", "values", "failed", "own answer better than another's", "distinct",
            "most equal", "length", "groups", "best 6 % kept",
        ),
        [_row(one) for one in result.columns],
    )  # fmt: skip
    others = (name for one in result.columns for name in one.agreement)
    names = list(dict.fromkeys([*(one.name for one in result.columns), *others]))
    if len(names) > 1:
        click.echo("\nRank correlations:")
        rows = [
            (one.name, *(_correlation(one.agreement.get(name)) for name in names))
            for one in result.columns
        ]
        render.print_table(("scores", *names), rows)
    click.echo("")
    for one in result.columns:
        click.echo(f"{render.plain(one.name)}: {one.verdict}")
        for reason in one.reasons:
            click.echo(f"  {render.plain(reason)}")
        for note in _notes(one):
            click.echo(f"  ({note})")


def _row(one: ColumnCheckup) -> tuple[Any, ...]:
    told, spread, stable = one.separation, one.saturation, one.stability
    if told.area is None:
        area = "not rated again"
    else:
        area = f"{told.area:.2f} ({told.low:.2f} to {told.high:.2f})"
    most = max(one.groups.items(), key=lambda item: item[1].eta, default=None)
    return (
        one.name,
        one.verdict,
        one.values,
        one.failures,
        area,
        None if spread is None else spread.distinct,
        "" if spread is None else f"{spread.equal:.0%}",
        _correlation(one.length),
        "" if most is None else f"{most[1].eta:.2f} ({most[0]})",
        "" if stable is None else f"{stable.mean:.0%}",
    )


def _notes(one: ColumnCheckup) -> list[str]:
    told, notes = one.separation, []
    if told.area is not None and told.same_question < told.pairs:
        notes.append(
            f"{told.same_question:,} of {told.pairs:,} pairs have the same question; an answer to "
            "another kind of question is easier to tell"
        )
    if told.whole:
        notes.append(f"in {told.whole:,} pairs the whole dialogue was exchanged")
    if told.failed:
        notes.append(f"{told.failed:,} samples failed with another answer")
    if one.falls:
        notes.append("its own percent scale falls: low values are the good ones")
    if one.pool_dependent:
        notes.append("its own percent scale depends on the other samples of the pool")
    return notes


def _correlation(value: float | None) -> str:
    return "" if value is None else f"{value:+.2f}"
