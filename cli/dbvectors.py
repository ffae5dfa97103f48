"""`ig4 db vectors`: where the vectors of embedders lie, and moving them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ig4.cli import options as opt
from ig4.cli.confirming import YES, confirm
from ig4.cli.location import location
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.storage.vectors.report import VectorReport


@click.command(
    epilog="""\b
Examples:
  ig4 db vectors
  ig4 db vectors --to vectors
  ig4 db vectors --to /shared/vectors --db postgresql://me@server/scores
  ig4 db vectors --compact
  ig4 db vectors --into-database
  ig4 db vectors --lost --yes
"""
)
@click.option(
    "--to",
    "folder",
    type=opt.PATH,
    metavar="FOLDER",
    help="Move all vectors into Parquet files there, also those that come later.",
)
@click.option(
    "--file-mb",
    type=click.IntRange(1, 4096),  # so many are in memory at a time
    metavar="N",
    help="About so many megabytes of vectors are a file, with --to.  [default: 64]",
)
@click.option(
    "--into-database", is_flag=True, help="Move all vectors from files into the database again."
)
@click.option("--compact", is_flag=True, help="Join small files, and free what is dead in others.")
@click.option(
    "--lost", is_flag=True, help="The folder is gone for good: let its vectors be computed again."
)
@YES
@opt.shared_options
def vectors(
    folder: Path | None,
    file_mb: int | None,
    into_database: bool,
    compact: bool,
    lost: bool,
    yes: bool,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show where vectors lie: in the database, or in Parquet files; move them.

    A database of its own keeps its vectors itself. For a million images and more, or for several
    hosts, let them lie in files: name a folder that all hosts see under the same path. Everything
    else works as before. Move vectors when no other process computes scores.
    """
    if sum((folder is not None, into_database, compact, lost)) > 1:
        raise click.UsageError("give only one of --to, --into-database, --compact and --lost")
    if file_mb is not None and folder is None:
        raise click.UsageError("--file-mb goes with --to FOLDER")
    if lost:
        confirm("Let the vectors that lay in files be computed again?", yes=yes)
    report = _report(
        db, folder, file_mb, into_database=into_database, compact=compact, lost=lost, quiet=quiet
    )
    if as_json:
        render.print_json(report.to_dict())
        return
    _print(report)


def _report(
    db: str | None,
    folder: Path | None,
    file_mb: int | None,
    *,
    into_database: bool,
    compact: bool,
    lost: bool,
    quiet: bool,
) -> VectorReport:
    from ig4.cli.session import open_session
    from ig4.core.engine.joining import placing
    from ig4.storage.store import Store
    from ig4.storage.vectors.report import describe_vectors

    if folder is None and not (into_database or compact or lost):
        with Store.open(location(db), create=False) as store:
            return describe_vectors(store)
    with open_session(db, quiet=quiet) as session:
        if folder is not None:
            size = None if file_mb is None else file_mb << 20
            return placing.move_into(session, folder, size)
        if lost:
            return placing.forget_lost(session)
        return placing.move_back(session) if into_database else placing.compact(session)


def _print(report: VectorReport) -> None:
    where = "the database itself" if report.folder is None else str(report.folder)
    click.echo(render.plain(f"{report.location}: vectors lie in {where}"))
    if report.places:
        heads = ("component", "of", "in the database", "in files", "files", "MB", "dead rows")
        rows = [
            (
                one.component,
                "images" if one.table == "embeddings" else "inputs",
                one.inside,
                one.outside,
                one.files,
                f"{(one.inside_bytes + one.file_bytes) / 1e6:,.1f}",
                one.dead,
            )
            for one in report.places
        ]
        render.print_table(heads, rows)
    if report.left is not None:
        click.echo(
            render.plain(
                f"{report.left} may still hold files that have moved: `ig4 db vectors --compact` "
                "removes them."
            )
        )
    if report.strays:
        click.echo(
            render.plain(
                f"{counted(len(report.strays), 'file')} in the folder that the database does not "
                f"know (first: {report.strays[0].name}). Delete them if no process writes now, and "
                "no copy of the database file uses the folder; --json names all."
            )
        )
