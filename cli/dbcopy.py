"""`ig4 db copy`: move a score database to a server, to another file, or back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ig4.cli import options as opt
from ig4.cli.location import location
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.storage.transfer.folders import FolderCopy


@click.command(
    epilog="""\b
Examples:
  ig4 db copy --to postgresql://me@server/scores
  ig4 db copy --db postgresql://me@server/scores --to laptop.db
  ig4 db copy --to elsewhere/ig4.db --json
"""
)
@click.option(
    "--to",
    "target",
    metavar="URL",
    required=True,
    help="File or URL of the copy: a database that is empty, or does not exist yet.",
)
@click.option(
    "--images",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of the copy's images.  [default: IG4_IMAGES, or beside the copy]",
)
@click.option(
    "--vectors",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder of the copy's vectors.  [default: IG4_VECTORS, or beside the copy]",
)
@opt.shared_options
def copy(
    target: str,
    images: Path | None,
    vectors: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Copy the database to another file or server, exactly.

    Every row keeps its number. The copy is read again and compared before it is kept, so it is
    whole or not there at all. Images and vectors that lie beside the database are copied too.
    IG4_IMAGES and IG4_VECTORS name the folders of both databases; --images and --vectors those of
    the copy alone. Commands on the copy need the same folder in the variable, unless it is beside.
    """
    from ig4.cli.terminal.progress import progress_listener
    from ig4.core.engine.joining.copy import copy as make_copy

    with progress_listener(quiet=quiet) as listener:
        done = make_copy(location(db), target, [listener], images=images, vectors=vectors)
    if done.note:
        click.echo(render.plain(f"note: {done.note}"), err=True)
    if as_json:
        render.print_json(done.to_dict())
        return
    tables = sum(1 for one in done.tables.values() if one.rows)
    click.echo(
        render.plain(
            f"copied to {done.target}: {counted(done.rows, 'row')} of {counted(tables, 'table')}, "
            "read again and found equal"
        )
    )
    for what, folder in (("images", done.images), ("vectors", done.vectors)):
        if text := _folder_text(folder):
            click.echo(render.plain(f"{what}: {text}"))


def _folder_text(folder: FolderCopy) -> str:
    if folder.shared and folder.source.is_dir():
        return f"both databases use {folder.target}"
    if not folder.copied and not folder.present:
        return ""
    size = f" ({folder.bytes / 1e6:,.1f} MB)" if folder.copied else ""
    return f"{counted(folder.copied, 'file')}{size} copied to {folder.target}" + (
        f", {folder.present:,} were there" if folder.present else ""
    )
