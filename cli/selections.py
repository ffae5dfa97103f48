"""`ig4 selections`: the selections that are stored, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.confirming import YES, confirm
from ig4.cli.terminal import render
from ig4.cli.terminal.mix import print_mix
from ig4.core.counts import counted, nouns
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.engine.selections.listing import SelectionDetails, SelectionSummary

_ALL = click.option(
    "--all", "subsets", is_flag=True, help="Also the subsets that weights were learned from."
)


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  ig4 selections
  ig4 selections --dataset mydata --json
  ig4 selections show best
  ig4 selections rename 3 best --note "for the paper"
  ig4 selections delete 4 --yes
""",
)
@_ALL
@opt.dataset
@opt.shared_options
@click.pass_context
def selections(context: click.Context, /, **flags: Any) -> None:
    """List the selections that are stored, show one, rename or delete some.

    They are known by their numbers, or by names that you give them: `ig4 select --name best`, or
    `ig4 selections rename`. Every command with --selection takes a number, a name, or `last`.
    """
    if context.invoked_subcommand is None:
        _list(**flags)
        return
    typed = click.core.ParameterSource.COMMANDLINE  # IG4_DB may name the database as well
    named = ("subsets", "dataset", "as_json", "db")
    given = [name for name in named if context.get_parameter_source(name) is typed]
    if given:
        flag = {"subsets": "all", "as_json": "json"}.get(given[0], given[0])
        raise UsageError(f"write --{flag} after {context.invoked_subcommand}")


@selections.command(
    "list",
    epilog="""\b
Examples:
  ig4 selections list
  ig4 selections list --dataset mydata --all
""",
)
@_ALL
@opt.dataset
@opt.shared_options
def list_(**flags: Any) -> None:
    """List the selections, the newest first, of one data set or of all."""
    _list(**flags)


def _list(
    *, subsets: bool, dataset: str | None, db: str | None, as_json: bool, quiet: bool
) -> None:
    from ig4.cli.session import open_session
    from ig4.core.engine.selections.listing import list_selections

    with open_session(db, quiet=quiet) as session:
        chosen = session.dataset(dataset, make=False) if dataset else None
        found = list_selections(session, chosen, subsets=subsets)
    if as_json:
        render.print_json([one.to_dict() for one in found])
        return
    if not found:
        click.echo("there is no selection yet: `ig4 select --size 200` makes one", err=True)
    columns = ("selection", "name", "data set", "size", "of", "by", "recipe", "made", "run", "note")
    render.print_table(columns, [_cells(one) for one in found])


def _cells(one: SelectionSummary) -> tuple[Any, ...]:
    return (
        one.id, one.name or "", one.dataset, one.size, one.candidates, one.selector,
        one.label or "", f"{one.created_at:%Y-%m-%d %H:%M}", one.run, _shortened(one.note or ""),
    )  # fmt: skip


_NOTE_SHOWN = 60


def _shortened(note: str) -> str:
    """Return the beginning of a note in a line; `ig4 selections show` prints all of it."""
    line = " ".join(note.split())
    return line if len(line) <= _NOTE_SHOWN else f"{line[: _NOTE_SHOWN - 1]}…"


@selections.command(
    epilog="""\b
Examples:
  ig4 selections show
  ig4 selections show best --json
"""
)
@click.argument("selection", default="last", metavar="[N|NAME|last]")
@opt.dataset
@opt.shared_options
def show(selection: str, dataset: str | None, db: str | None, as_json: bool, quiet: bool) -> None:
    """Show how a selection was made, and what it is told with: its mix, weights and stages."""
    from ig4.cli.session import open_session
    from ig4.core.engine.selections.finding import find_selection
    from ig4.core.engine.selections.listing import show_selection

    with open_session(db, quiet=quiet) as session:
        chosen = session.dataset(dataset, make=False) if dataset else None
        details = show_selection(session, find_selection(session, chosen, selection))
    if as_json:
        render.print_json(details.to_dict())
    else:
        _print_details(details)


@selections.command(
    epilog="""\b
Examples:
  ig4 selections rename 3 best
  ig4 selections rename best best --note "trained on it in May"
"""
)
@click.argument("selection", metavar="N|NAME|last")
@click.argument("new")
@click.option("--note", metavar="TEXT", help='What to remember of it; "" takes a note away.')
@opt.dataset
@opt.shared_options
def rename(
    selection: str,
    new: str,
    note: str | None,
    dataset: str | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Give a selection the name NEW; no other one of its data set may have that."""
    from ig4.cli.session import open_session
    from ig4.core.engine.selections.editing import rename_selection
    from ig4.core.engine.selections.finding import find_selection

    with open_session(db, quiet=quiet) as session:
        chosen = session.dataset(dataset, make=False) if dataset else None
        row = find_selection(session, chosen, selection)
        name = rename_selection(session, row, new, note)
    if as_json:
        render.print_json({"selection": row.id, "old": row.name, "name": name})
    else:
        click.echo(f"selection {row.id} is called {render.plain(name)} now")


@selections.command(
    epilog="""\b
Examples:
  ig4 selections delete draft
  ig4 selections delete 4 5 6 --yes
"""
)
@click.argument("which", nargs=-1, required=True, metavar="N|NAME…")
@YES
@opt.dataset
@opt.shared_options
def delete(
    which: tuple[str, ...],
    yes: bool,
    dataset: str | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Delete selections with their samples, reports and names.

    Those that trainings or ablations were made of stay: what was trained would no longer say on
    which samples. Scores, clusters and exported files stay. A later selection may get the number of
    a deleted one.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.selections.editing import delete_selection, refuse_in_use
    from ig4.core.engine.selections.finding import find_selection

    with open_session(db, quiet=quiet) as session:
        chosen = session.dataset(dataset, make=False) if dataset else None
        rows = {row.id: row for row in (find_selection(session, chosen, one) for one in which)}
        for row in rows.values():
            refuse_in_use(session, row)
        named = ", ".join(
            f"{row.id} ({row.name + ', ' if row.name else ''}{counted(row.size, 'sample')})"
            for row in rows.values()
        )
        confirm(f"Delete {nouns(len(rows), 'selection')} {render.plain(named)}?", yes=yes)
        for row in rows.values():
            delete_selection(session, row)
    if as_json:
        render.print_json({"deleted": list(rows)})
    else:
        click.echo(f"deleted: {render.plain(named)}")


_IDS_SHOWN = 10
_COUNTED = ("do", "before", "after")


def _print_details(details: SelectionDetails) -> None:
    one, config, report = details.summary, details.config, details.report
    weights = ", ".join(f"{name} {value:g}" for name, value in config.get("weights", {}).items())
    run = f"run {one.run}" + (f" ({details.command})" if details.command else "")
    facts = {
        "selection": f"{one.id}{f' ({one.name})' if one.name else ''}",
        "note": one.note,
        "data set": one.dataset,
        "size": f"{one.size:,} of {one.candidates or 0:,}",
        "made": f"{one.created_at:%Y-%m-%d %H:%M} UTC by {run}",
        "recipe": one.label,
        "selector": _selector(config.get("selector", {})),
        "weights": weights,
        "scale": config.get("scale") if weights else None,
        "within": config.get("within"),
        "combined by": config.get("combine"),
        "clusters": config.get("clustering"),
        "seed": config.get("seed"),
        "left out": _counts(config.get("left_out", {})),
        "kept": _pinned(config, "keep"),
        "dropped": _pinned(config, "drop"),
        "told": "\n".join(report.get("told", ())),
        "trainings": ", ".join(map(str, details.trainings)),
        "ablation cells": ", ".join(details.cells),
    }
    render.print_facts({name: value for name, value in facts.items() if value not in (None, "")})
    _print_report(report)
    _print_again(details)


def _print_again(details: SelectionDetails) -> None:
    """Print what makes a selection again, as lines that can be copied."""
    from ig4.core.engine.selections.again import SETTINGS

    again = details.again
    if again is None:
        return
    click.echo("\nmake it again:")
    click.echo(render.plain(again.command))
    if again.settings is not None:
        click.echo(f"with this in {SETTINGS}:")
        click.echo("\n".join(map(render.plain, again.settings.splitlines())))
    for text in again.told:
        render.say(render.plain(text), hang=2)


def _print_report(report: Mapping[str, Any]) -> None:
    for number, stage in enumerate(report.get("stages", ()), start=1):
        what = {name: value for name, value in stage.items() if name not in _COUNTED}
        left = f"{stage['before'] - stage['after']:,} of {stage['before']:,} left out"
        settings = f"; {render.told(what)}" if what else ""
        render.say(render.plain(f"stage {number} ({stage['do']}): {left}{settings}"), hang=2)
    effective = report.get("effective_weights") or {}
    if effective:
        click.echo("")
        rows = [
            (name, row["weight"], row["share"], row["correlation"])
            for name, row in effective.items()
        ]
        render.print_table(("scorer", "weight", "share of what decides", "correlation"), rows)
    print_mix(report)


def _selector(selector: Mapping[str, Any]) -> str:
    known = {name: value for name, value in selector.items() if name != "use"}
    options = ", ".join(f"{name}={render.told(value)}" for name, value in known.items())
    return f"{selector.get('use', '')}{f' ({options})' if options else ''}"


def _pinned(config: Mapping[str, Any], what: str) -> str:
    """Return what the user kept or dropped: how many from where, and the first ids."""
    from ig4.core.engine.selecting.pins import PinSource

    told = []
    for one in config.get(what, ()):
        ids = one["ids"]
        source = PinSource(one.get("file"), one.get("sql"), one.get("stored", False))
        query = f" {one['sql']}" if one.get("sql") else ""
        more = f" and {len(ids) - _IDS_SHOWN:,} more" if len(ids) > _IDS_SHOWN else ""
        shown = f" ({', '.join(ids[:_IDS_SHOWN])}{more})" if ids else ""
        told.append(f"{counted(len(ids), 'sample')} by {source.label(what)}{query}{shown}")
    return "\n".join(told)


def _counts(left_out: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} with {reason}" for reason, count in left_out.items())
