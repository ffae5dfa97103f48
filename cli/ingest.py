"""`ig4 ingest`: read a data set into the score database."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted


@click.command(
    epilog="""\b
Examples:
  ig4 ingest data/cc_sbu_align
  ig4 ingest captions.csv --columns image=file,answer=caption
  ig4 ingest old.json --encoding gb18030 --image-root /mnt/images
  ig4 ingest s3://bucket/llava.json --image-root s3://bucket/images
  ig4 ingest 'shards/{000..012}.tar'
  ig4 ingest laion.jsonl --fetch-images public
"""
)
@click.argument("path", type=opt.place)
@click.option("--name", help="Name in the database.  [default: that of the file or folder]")
@click.option("--format", "format_", metavar="NAME", help="Format.  [default: detected]")
@opt.columns
@click.option("--encoding", help="Encoding of the files, as in gb18030.")
@click.option("--instruction", help="Instruction for records without one.")
@click.option(
    "--image-root",
    type=opt.place,
    metavar="PATH|URL",
    help="Additional folder, or address, to read images from.",
)
@opt.fetch_images
@click.option("--refetch", is_flag=True, help="Fetch images again, whatever the cache has.")
@click.option(
    "--duplicate-ids",
    type=click.Choice(["number", "error"]),
    default="number",
    show_default=True,
    help="Number repeated ids, or stop.",
)
@click.option(
    "--replace", is_flag=True, help="Put it in the place of the data set that has its name."
)
@click.option(
    "-o", "--option", "settings", multiple=True, metavar="KEY=VALUE", help="Option of the format."
)
@opt.shared_options
def ingest(
    path: Path | str,
    name: str | None,
    format_: str | None,
    columns: str | None,
    settings: tuple[str, ...],
    image_root: Path | str | None,
    fetch_images: str | None,
    refetch: bool,
    duplicate_ids: str,
    replace: bool,
    db: str | None,
    as_json: bool,
    quiet: bool,
    **texts: str | None,
) -> None:
    """Read a data set into the score database.

    Reading it again updates what has changed.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.ingesting.ingest import ingest as read
    from ig4.core.engine.requests import dataset_source

    options: dict[str, Any] = {key: value for key, value in texts.items() if value is not None}
    options |= opt.column_options(columns) | opt.pairs_of(settings)
    config = configuration.build(
        {
            "dataset": {
                "path": path,
                "name": name,
                "format": format_,
                "image_root": image_root,
                "fetch_images": fetch_images,
                "duplicate_ids": duplicate_ids,
                "options": options,
            }
        }
    )
    source = dataset_source(config)
    assert source is not None
    source = dataclasses.replace(source, replace=replace, refetch=refetch)
    with open_session(db, create=True, quiet=quiet) as session:
        done = read(session, source)
        location = session.store.location
    if as_json:
        render.print_json(
            {
                "dataset": done.dataset.name,
                "format": done.dataset.format,
                "samples": done.samples,
                "read": done.read,
                "unchanged": done.unchanged,
                "problems": dict(done.problems),
                "unreadable_images": done.unreadable_images,
                "remarks": dict(done.remarks),
                "fetched": done.fetched._asdict() if done.fetched else None,
            }
        )
        return
    state = "unchanged" if done.unchanged else f"read as {done.dataset.format}"
    click.echo(f"{done.dataset.name}: {counted(done.samples, 'sample')} in {location} ({state})")
