"""`ig4 report`: one page about a selection, to look at and to send."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.limits import SHOWN_SAMPLES

if TYPE_CHECKING:
    from ig4.core.engine.reporting.report import ReportResult


@click.command(
    epilog="""\b
Examples:
  ig4 report                          # the last selection, to ig4-report.html
  ig4 report 3 --out best.html
  ig4 report --no-images --out small.html
  ig4 report --redact                 # numbers alone: no text, image or id of the data
  ig4 report --map tsne               # neighbourhoods (pip install "ig4[map]")
"""
)
@click.argument("selection", default="last")
@click.option(
    "--out",
    type=opt.PATH,
    default=Path("ig4-report.html"),
    show_default=True,
    help="File to write.",
)
@click.option("--no-images", is_flag=True, help="Leave images out.")
@click.option(
    "--redact", is_flag=True, help="Leave out texts, images, ids and names: numbers alone."
)
@click.option(
    "--map", "method", metavar="NAME", default="pca", show_default=True,
    help="Embedder that lays the samples out: pca, or tsne.",
)  # fmt: skip
@click.option("--space", metavar="NAME", help="Space to lay out.  [default: that of the clusters]")
@click.option(
    "--samples",
    type=click.IntRange(*SHOWN_SAMPLES),
    default=5_000,
    show_default=True,
    help="A larger data set is shown in part: the selected samples, and a seeded draw of others.",
)
@opt.overwrite
@opt.dataset
@opt.config
@opt.shared_options
def report(
    selection: str,
    out: Path,
    no_images: bool,
    redact: bool,
    method: str,
    space: str | None,
    samples: int,
    overwrite: bool | None,
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a page about a selection: what was kept, and why.

    It is one self-contained HTML file. SELECTION is a number, a name, or `last`. The page opens
    from the disk without a network, and can be sent as it is.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
    from ig4.core.engine.reporting.pagedata import PageRequest
    from ig4.core.engine.reporting.report import write_report

    config = configuration.load(config_file)
    request = PageRequest(
        images=not no_images, texts=not redact, method=method, space=space, samples=samples
    )
    with open_session(db, config, quiet=quiet) as session:
        name = dataset or config.dataset.name
        named = session.dataset(name) if name else None
        number = find_selection(session, named, selection)
        chosen = dataset_of_selection(session, number)
        result = write_report(session, chosen, number, out, request, overwrite=bool(overwrite))
    render.print_json(result.to_dict()) if as_json else _show(result)


def _show(result: ReportResult) -> None:
    pictures = f", {result.pictures:,} pictures" if result.pictures else ""
    click.echo(
        f"{result.path}: {result.shown:,} of {result.samples:,} samples{pictures}, "
        f"{result.bytes / 1e6:.1f} MB"
    )
