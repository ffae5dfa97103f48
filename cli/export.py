"""`ig4 export`: write a selection, or all samples, as a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from ig4.cli import options as opt
from ig4.cli import render


@click.command(
    epilog="""\b
Examples:
  ig4 export best/llava.json --format llava
  ig4 export best/filter_cap.json --images copy
  ig4 export all.parquet --format parquet --selection all
  ig4 export best --for llamafactory
  ig4 export best --for trl --model HuggingFaceTB/SmolVLM-Instruct --images copy
"""
)
@click.argument("target", type=opt.PATH)
@click.option(
    "--format", "format_", metavar="NAME", help="Format to write.  [default: that of the data set]"
)
@click.option(
    "--images",
    type=click.Choice(["link", "copy", "none"]),
    default="link",
    show_default=True,
    help="Link to images, copy them, or neither.",
)
@click.option(
    "--for",
    "trainer",
    type=click.Choice(["llamafactory", "swift", "trl"]),
    help="Write a folder with the data and a configuration for this trainer.",
)
@click.option("--model", metavar="NAME", help="With --for: the model to train.")
@opt.selection
@opt.dataset
@opt.shared_options
def export(
    target: Path,
    format_: str | None,
    images: Literal["link", "copy", "none"],
    trainer: str | None,
    model: str | None,
    selection: str,
    dataset: str | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a selection as a data set.

    In the format of the data set, records are written exactly as they were read.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.exporting.export import dataset_of_selection, find_selection
    from ig4.core.engine.exporting.export import export as write
    from ig4.core.engine.exporting.stubs import DATA, write_stub
    from ig4.core.engine.plan import export_target
    from ig4.core.errors import UsageError

    if trainer is not None and format_ not in (None, "sharegpt"):
        raise UsageError(f"--for {trainer} says which format is written: leave --format away")
    if model is not None and trainer is None:
        raise UsageError("--model goes with --for: say for which trainer")
    config = configuration.build({"export": {"path": target, "format": format_, "images": images}})
    with open_session(db, quiet=quiet) as session:
        if selection == "all":
            chosen, number = session.dataset(dataset), None
        else:
            within = session.dataset(dataset) if dataset else None
            number = find_selection(session, within, selection)
            chosen = dataset_of_selection(session, number)
        wanted = export_target(config, chosen.name)
        if trainer is not None:
            file = target / DATA[trainer]
            wanted = replace(wanted, path=file, format="sharegpt", anew=True)
        done = write(session, chosen, wanted, number)
    beside = [] if trainer is None else write_stub(trainer, target, model, images=done.images > 0)
    if as_json:
        render.print_json(
            {
                "path": str(done.path),
                "format": done.format,
                "samples": done.samples,
                "images": done.images,
                "missing_images": done.missing_images,
                "beside": [str(file) for file in beside],
            }
        )
        return
    click.echo(f"{done.samples:,} samples of {chosen.name} written to {done.path} as {done.format}")
    for file in beside:
        click.echo(f"beside it: {file}")
