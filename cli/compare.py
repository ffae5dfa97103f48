"""`ig4 compare`: two selections side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render

if TYPE_CHECKING:
    from ig4.core.engine.comparing.result import (
        Change,
        ComparedSelection,
        ComparisonResult,
        GroupComparison,
    )

_GROUPS_SHOWN = 15
_LONGEST = 60


@click.command(
    epilog="""\b
Examples:
  ig4 compare 3 5
  ig4 compare best                 # with the last selection
  ig4 compare best draft --top 30
  ig4 compare best draft --json
  ig4 compare best draft --out compare.html    # a page, with the samples themselves
"""
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", default="last")
@click.option(
    "--top",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="How many that came in, and went out, to print; --json has all.",
)
@click.option("--out", type=opt.PATH, help="Write a page, with the samples themselves.")
@click.option("--no-images", is_flag=True, help="Leave images out of the page.")
@click.option("--redact", is_flag=True, help="Leave texts, images, ids and names out of the page.")
@opt.overwrite
@opt.dataset
@opt.config
@opt.shared_options
def compare(
    a: str,
    b: str,
    top: int,
    out: Path | None,
    no_images: bool,
    redact: bool,
    overwrite: bool | None,
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare two selections: what they share, what came in and went out, and why.

    A and B are numbers or names of selections, or `last`. You are told how much they share, beside
    what two random draws would; how their groups, clusters and settings differ; which samples are
    in one alone, and what became of them in the other.
    Selections of two data sets are compared by the texts and images of their samples.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.comparing.compare import compare_selections
    from ig4.core.engine.reporting.comparepage import write_comparison
    from ig4.core.engine.requests import pool_settings
    from ig4.core.errors import UsageError

    if redact and out is None:
        raise UsageError("--redact is about the page: name one with --out")
    config = configuration.load(config_file)
    with open_session(db, config, quiet=quiet) as session:
        chosen = session.dataset(dataset, make=False) if dataset else None
        found = compare_selections(
            session, a, b, chosen, pool_settings(config), detailed=max(top, 10)
        )
        if out is not None:
            write_comparison(
                session, found, out, images=not no_images, texts=not redact,
                overwrite=bool(overwrite),
            )  # fmt: skip
    if as_json:
        render.print_json(found.to_dict())
    else:
        _print(found, top)
        if out is not None:
            click.echo(f"\nLook at the samples in a browser: {out}")


def _print(found: ComparisonResult, top: int) -> None:
    render.print_facts(
        {
            "A": _side(found.a),
            "B": _side(found.b),
            "in both": _overlap(found),
            "order": _order(found),
        }
    )
    for note in found.notes:
        render.say(f"note: {render.plain(note)}", hang=6)
    if found.settings:
        click.echo("\nSettings that differ:")
        rows = [(one.key, _shown(one.a), _shown(one.b)) for one in found.settings]
        render.print_table(("setting", "A", "B"), rows)
    else:
        click.echo("\nNo setting differs.")
    _print_groups("Groups", found.groups)
    _print_groups("Clusters", found.clusters)
    facts = found.to_dict()
    _print_changes("Came in (in B alone)", "A", found.came_in, facts["why_came_in"], top)
    _print_changes("Went out (in A alone)", "B", found.went_out, facts["why_went_out"], top)


def _side(one: ComparedSelection) -> str:
    of = "" if one.candidates is None else f" of {one.candidates:,}"
    named = f" ({one.name})" if one.name else ""
    label = f", recipe {one.label}" if one.label else ""
    return (
        f"selection {one.id}{named}: {one.size:,}{of} samples of {one.dataset} by "
        f"{one.selector}{label}"
    )


def _overlap(found: ComparisonResult) -> str:
    shared = found.overlap
    return (
        f"{shared.common:,}: {shared.share_a:.1%} of A, {shared.share_b:.1%} of B, Jaccard "
        f"{shared.jaccard:.3f} (two random draws: {shared.expected:.1f} ± {shared.deviation:.1f})"
    )


def _order(found: ComparisonResult) -> str:
    shared = found.overlap
    if shared.spearman is None or shared.kendall is None:
        return "too few in both to compare their ranks"
    return f"Spearman {shared.spearman:+.3f}, Kendall {shared.kendall:+.3f} over those in both"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = render.told(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _print_groups(title: str, found: GroupComparison) -> None:
    if found.why is not None or len(found.groups) < 2:
        return
    click.echo(f"\n{title} by {render.plain(found.by)}:")
    rows = [(one.name, one.pool, one.a, one.b, one.both) for one in found.groups[:_GROUPS_SHOWN]]
    render.print_table(("group", "data set", "A", "B", "both"), rows)
    if len(found.groups) > _GROUPS_SHOWN:
        render.say(f"… and {len(found.groups) - _GROUPS_SHOWN:,} more: --json prints all")


def _print_changes(
    title: str, other: str, changes: Sequence[Change], why: Sequence[Any], top: int
) -> None:
    counts = ", ".join(f"{one['fate']} {one['count']:,}" for one in why)
    render.say(f"\n{title}: {len(changes):,}{f' ({counts} in {other})' if counts else ''}")
    rows = [(one.rank, one.id, one.final_score, _reason(one)) for one in changes[:top]]
    if rows:
        render.print_table(("rank", "id", "final score", f"why not in {other}"), rows)
    if len(changes) > top:
        render.say(f"… and {len(changes) - top:,} more: --top N prints more, --json all")


def _reason(one: Change) -> str:
    known = {name: value for name, value in (one.details or {}).items() if value is not None}
    rejected = known.pop("rejected_by", None)
    why = f": {render.told(rejected)}" if rejected else ""
    rest = f" ({render.told(known)})" if known else ""
    kept = "kept by name; " if one.kept else ""
    return f"{kept}{one.reason}{why}{rest}"
