"""`ig4 db merge`: take over scores, vectors and paid replies of other databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ig4.cli import options as opt
from ig4.cli.location import location
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.storage.merging.tally import MergeResult

_SHOWN = 5


@click.command(
    epilog="""\b
Examples:
  ig4 db merge shard-*.db
  ig4 db merge shard-*.db --db all.db
  ig4 db merge colleague.db --dry-run
  ig4 db merge colleague.db --datasets
  ig4 db merge laptop.db --db postgresql://me@server/scores
"""
)
@click.argument("others", nargs=-1, required=True, metavar="OTHER…")
@click.option(
    "--datasets",
    "take_datasets",
    is_flag=True,
    help="Take over data sets that are not here, too. A database without any always does.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be taken over, and stop.")
@opt.shared_options
def merge(
    others: tuple[str, ...],
    take_datasets: bool,
    dry_run: bool,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take over what OTHER databases have: scores, vectors, paid replies, names, selections.

    OTHER is a file or a URL, and is only read. Nothing that it has is computed or paid for again
    here. What this database has stays, unless it is a failure and the other one has a value.
    Merging twice changes nothing; an interrupted merge is completed by the next.
    """
    from ig4.cli.session import open_session
    from ig4.cli.terminal.logs import log_event
    from ig4.cli.terminal.progress import progress_listener
    from ig4.core.engine.joining.merge import check_others
    from ig4.core.engine.joining.merge import merge as take_over
    from ig4.core.engine.planningstore import planning_store
    from ig4.core.engine.session import Session
    from ig4.core.host.host import Host

    here = location(db)
    check_others(here, others)
    if dry_run:
        with planning_store(here) as store, progress_listener(quiet=quiet) as listener:
            session = Session(store, Host.discover(), [listener, log_event])
            found = take_over(session, others, take_datasets=take_datasets, dry_run=True)
    else:
        with open_session(db, create=True, quiet=quiet) as session:
            found = take_over(session, others, take_datasets=take_datasets)
    if as_json:
        render.print_json({"dry_run": dry_run, "merged": [one.to_dict() for one in found]})
        return
    _print_results(found)


def _print_results(found: Sequence[MergeResult]) -> None:
    for one in found:
        verb = "would be taken over" if one.dry_run else "taken over"
        changed = counted(one.total("changes"), "row")
        click.echo(render.plain(f"{one.other}: {changed} {verb}"))
        for name, here in one.datasets.items():
            click.echo(render.plain(f"data set {name}: {here}"))
        _print_tables(one)
        if one.files:
            click.echo(f"files: {one.files:,} ({one.file_bytes / 1e6:,.1f} MB)")
        _print_conflicts(one)


def _print_tables(one: MergeResult) -> None:
    columns = ("taken", "replaced", "equal", "conflicts", "damaged", "left_out")
    rows = [
        (name.replace("_", " "), *(getattr(tally, column) for column in columns))
        for name, tally in one.tables.items()
        if any(getattr(tally, column) for column in columns)
    ]
    used = [n for n, column in enumerate(columns, 1) if any(row[n] for row in rows)]
    heads = ("table", *(columns[n - 1].replace("_", " ") for n in used))
    render.print_table(heads, [(row[0], *(row[n] for n in used)) for row in rows])


def _print_conflicts(one: MergeResult) -> None:
    from ig4.storage.merging.tally import RULE

    total = one.total("conflicts")
    if not total:
        return
    click.echo(f"{counted(total, 'conflict')}: {RULE}.")
    for what in one.conflicts[:_SHOWN]:
        click.echo(render.plain(f"  {what}"))
    if len(one.conflicts) > _SHOWN:
        click.echo(f"  and {len(one.conflicts) - _SHOWN:,} more (--json has all)")
