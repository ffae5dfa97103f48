"""`ig4 export`: write a selection, or all samples, as a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted, verb

if TYPE_CHECKING:
    from ig4.core.engine.exporting.export import ExportResult


@click.command(
    epilog="""\b
Examples:
  ig4 export best/llava.json --format llava
  ig4 export best/filter_cap.json --images copy
  ig4 export all.parquet --format parquet --selection all
  ig4 export best/data.jsonl --format jsonl --with scores,cluster,rank
  ig4 export best-shards --format webdataset -o maxcount=1000
  ig4 export best --for llamafactory
  ig4 export best --for trl --model HuggingFaceTB/SmolVLM-Instruct --images link
"""
)
@click.argument("target", type=opt.PATH)
@click.option(
    "--format", "format_", metavar="NAME", help="Format to write.  [default: that of the data set]"
)
@click.option(
    "--images",
    type=click.Choice(["link", "copy", "none"]),
    help="Link to images, copy them, or neither.  [default: link; with --for: copy]",
)
@click.option(
    "--for",
    "trainer",
    type=click.Choice(["llamafactory", "swift", "trl"]),
    help="Write a folder with the data and a configuration for this trainer.",
)
@click.option("--model", metavar="NAME", help="With --for: the model to train.")
@click.option(
    "--with",
    "extras",
    metavar="NAMES",
    help="Write beside each record: scores, cluster, rank, percents, final, group.",
)
@click.option(
    "--card/--no-card",
    default=None,
    help="Write a data card (README.md) beside the data.  [default: with --with]",
)
@click.option(
    "-o", "--option", "settings", multiple=True, metavar="KEY=VALUE", help="Option of the format."
)
@opt.problems
@opt.overwrite
@opt.selection
@opt.dataset
@opt.shared_options
def export(
    target: Path,
    format_: str | None,
    images: Literal["link", "copy", "none"] | None,
    trainer: str | None,
    model: str | None,
    extras: str | None,
    card: bool | None,
    settings: tuple[str, ...],
    problems: str | None,
    overwrite: bool | None,
    selection: str,
    dataset: str | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a selection as a data set.

    In the format of the data set, records are written as they were read, but name the images of the
    export. The ending of TARGET says the format: .parquet, .csv, …; one without an ending is a
    folder. Samples with a problem are left out and counted. A file that ig4 did not write, or that
    was changed since, is not replaced.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
    from ig4.core.engine.exporting.export import export as write
    from ig4.core.engine.requests import export_target
    from ig4.core.errors import UsageError

    if model is not None and trainer is None:
        raise UsageError("--model goes with --for: say for which trainer")
    config = configuration.build(
        {
            "export": {
                "path": target,
                "format": format_,
                "images": images or ("link" if trainer is None else "copy"),
                "problems": problems,
                "overwrite": overwrite,
                "options": opt.pairs_of(settings),
            }
        }
    )
    with open_session(db, quiet=quiet) as session:
        if selection == "all":
            chosen, number = session.dataset(dataset), None
        else:
            within = session.dataset(dataset, make=False) if dataset else None
            number = find_selection(session, within, selection)
            chosen = dataset_of_selection(session, number)
        wanted = replace(export_target(config, chosen.name), trainer=trainer, model=model)
        wanted = replace(wanted, extras=tuple(opt.names(extras) or ()), card=card)
        done = write(session, chosen, wanted, number)
    if as_json:
        render.print_json(as_dict(done))
        return
    click.echo("\n".join(_lines(done, chosen.name)))


def _lines(done: ExportResult, dataset: str) -> list[str]:
    """Say what was written."""
    written = (
        f"{counted(done.samples, 'sample')} of {dataset} written to {done.path} as {done.format}"
    )
    beside = [f"beside it: {file}" for file in done.beside]
    return [*filter(None, (written, images_text(done), left_out_text(done))), *beside]


def as_dict(done: ExportResult) -> dict[str, Any]:
    """Return an export's result as a JSON-able dict."""
    return {
        "path": str(done.path),
        "format": done.format,
        "samples": done.samples,
        "images": done.images,
        "linked_images": done.linked,
        "copied_images": done.copied,
        "embedded_images": done.inside,
        "missing_images": done.missing_images,
        "left_out": dict(done.left_out),
        "beside": [str(file) for file in done.beside],
    }


def images_text(done: ExportResult) -> str:
    """Say what became of the images."""
    told = [
        f"{counted(done.linked, 'image')} linked (keep "
        f"{verb(done.linked, 'it where it is', 'them where they are')}, or use --images copy)"
        if done.linked else "",
        f"{counted(done.copied, 'image')} copied" if done.copied else "",
        f"{counted(done.inside, 'image')} inside the data" if done.inside else "",
    ]  # fmt: skip
    return ", ".join(filter(None, told))


def left_out_text(done: ExportResult) -> str:
    """Say how many samples were left out, and why."""
    reasons = "; ".join(f"{count:,}: {reason}" for reason, count in done.left_out.items())
    return (
        f"{counted(sum(done.left_out.values()), 'sample')} left out ({reasons})" if reasons else ""
    )
