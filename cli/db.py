"""`ig4 db`: manage the score database."""

from __future__ import annotations

from pathlib import Path

import click

from ig4.cli import options as opt
from ig4.cli.dbcopy import copy
from ig4.cli.dbmerge import merge
from ig4.cli.dbvectors import vectors
from ig4.cli.location import location
from ig4.cli.terminal import render
from ig4.core.counts import counted


@click.group(
    epilog="""\b
Examples:
  ig4 db path
  ig4 db stats
  ig4 db check
  ig4 db scrub
  ig4 db backup before.db
  ig4 db copy --to postgresql://me@server/scores
  ig4 db merge shard-*.db
  ig4 db vectors
  ig4 db upgrade
"""
)
def db() -> None:
    """Manage the score database."""


db.add_command(copy)
db.add_command(merge)
db.add_command(vectors)


@db.command(
    epilog="""\b
Examples:
  ig4 db path
  ig4 db path --json
"""
)
@opt.as_json
@opt.db
def path(db: str | None, as_json: bool) -> None:
    """Print the location of the score database."""
    from ig4.storage.admin import describe_database

    facts = describe_database(location(db))
    render.print_json(facts) if as_json else click.echo(facts["location"])


@db.command(
    epilog="""\b
Examples:
  ig4 db upgrade
  ig4 db upgrade --db old.db
"""
)
@opt.as_json
@opt.db
def upgrade(db: str | None, as_json: bool) -> None:
    """Upgrade an older database to the current schema, after a backup."""
    from ig4.storage.admin import upgrade_database

    before, after, backup_path = upgrade_database(location(db))
    if as_json:
        render.print_json(
            {"before": before, "after": after, "backup": backup_path and str(backup_path)}
        )
        return
    click.echo(f"schema {after}: up to date" if before == after else f"schema {before} → {after}")
    if backup_path:
        click.echo(f"backup of the old database: {backup_path}")


@db.command(
    epilog="""\b
Examples:
  ig4 db backup
  ig4 db backup copies/before.db
"""
)
@click.argument("target", required=False, type=opt.PATH)
@opt.as_json
@opt.db
def backup(target: Path | None, db: str | None, as_json: bool) -> None:
    """Copy the database, even while a run writes to it, and check the copy."""
    from ig4.storage.admin import backup as copy

    saved = copy(location(db), target)
    if as_json:
        render.print_json(saved.to_dict())
        return
    click.echo(f"saved as {saved.path}")
    if saved.vectors:
        click.echo(f"its vectors lie in {saved.vectors}: keep both together")


@db.command(
    epilog="""\b
Examples:
  ig4 db check
  ig4 db check --json
  ig4 db check --repair
"""
)
@click.option(
    "--repair",
    is_flag=True,
    help="Delete damaged results that can be made again, and let damaged texts be read again.",
)
@opt.as_json
@opt.db
def check(repair: bool, db: str | None, as_json: bool) -> None:
    """Look for damage: pages, links between tables, changed results and texts."""
    from ig4.core.engine.checking import check as look
    from ig4.core.engine.checking import repair as mend

    report = look(location(db))
    repaired = mend(location(db), report.damage) if repair and report.damage else 0
    if as_json:
        render.print_json(report.to_dict() | {"repaired": repaired})
    else:
        for one in report.damage:
            click.echo(render.plain(f"damaged: {one.problem}. To mend it: {one.remedy}."))
        for note in report.notes:
            click.echo(render.plain(f"note: {note}"), err=True)
        if repaired:
            click.echo(
                "marked to be made again: "
                f"{counted(repaired, 'damaged result or text', 'damaged results and texts')}"
            )
        verified = ", ".join(f"{count:,} {table}" for table, count in report.verified.items())
        state = "sound" if report.sound else "DAMAGED"
        click.echo(render.plain(f"{report.location}: {state} ({verified or 'nothing'} verified)"))
    if not report.sound:
        click.get_current_context().exit(1)


@db.command(
    epilog="""\b
Examples:
  ig4 db scrub
  ig4 db scrub --db shared.db --json
"""
)
@opt.as_json
@opt.db
def scrub(db: str | None, as_json: bool) -> None:
    """Take keys and passwords out of configurations that an older ig4 recorded."""
    from ig4.core.engine.scrubbing import scrub_records
    from ig4.storage.store import Store

    with Store.open(location(db), create=False) as store:
        count = scrub_records(store)
        where = store.location
    if as_json:
        render.print_json({"location": where, "scrubbed": count})
    else:
        click.echo(f"{where}: {counted(count, 'recorded configuration')} held a key or a password")
    if count:
        click.echo("Backups and copies still hold them: change the keys.", err=True)


@db.command(
    epilog="""\b
Examples:
  ig4 db stats
  ig4 db stats --json
"""
)
@opt.as_json
@opt.db
def stats(db: str | None, as_json: bool) -> None:
    """Print the number of rows of each table."""
    from ig4.storage.admin import stats as count

    facts = count(location(db))
    if as_json:
        render.print_json(facts)
        return
    size = "" if facts["bytes"] is None else f", {facts['bytes'] / 1e6:,.1f} MB"
    click.echo(f"{facts['location']}: schema {facts['version']}{size}")
    render.print_table(("table", "rows"), facts["rows"].items())
