"""`ig4 scores`: the columns of scores of a data set, and where they come from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.confirming import YES, confirm
from ig4.cli.terminal import render
from ig4.core.counts import counted, nouns

if TYPE_CHECKING:
    from ig4.core.engine.scoring.columns import ScoreColumnSummary


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  ig4 scores
  ig4 scores --dataset mydata --json
  ig4 scores rename clip clip-old
  ig4 scores drop mine --yes
""",
)
@opt.dataset
@opt.config
@opt.shared_options
@click.pass_context
def scores(
    ctx: click.Context,
    /,
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """List the scores of a data set with their origin and counts, drop or rename them."""
    if ctx.invoked_subcommand is not None:
        return
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.requests import pool_settings
    from ig4.core.engine.scoring.columns import list_columns

    config = configuration.load(config_file)
    with open_session(db, config, quiet=quiet) as session:
        chosen = session.dataset(dataset or config.dataset.name)
        columns = list_columns(session, chosen, pool_settings(config))
    if as_json:
        render.print_json({"dataset": chosen.name, "scores": [c.to_dict() for c in columns]})
        return
    if not columns:
        click.echo(f"{chosen.name} has no scores yet", err=True)
    render.print_table(
        ("name", "values", "failures", "no image", "missing", "min", "mean", "max", "origin"),
        [
            (
                c.name,
                c.values,
                c.failures,
                c.without_image,
                c.missing,
                c.minimum,
                c.mean,
                c.maximum,
                _origin(c),
            )
            for c in columns
        ],
    )


@scores.command(
    epilog="""\b
Examples:
  ig4 scores drop mine
  ig4 scores drop gpt --yes --json
"""
)
@click.argument("name")
@YES
@opt.dataset
@opt.config
@opt.shared_options
def drop(
    name: str,
    yes: bool,
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Remove the scores called NAME from a data set, and the outputs of their scorer.

    Replies of paid services stay in the ledger: scoring again reads them and pays nothing.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.scoring.columns import drop_column, find_column

    config = configuration.load(config_file)
    with open_session(db, config, quiet=quiet) as session:
        chosen = session.dataset(dataset or config.dataset.name)
        column = find_column(session, chosen, name)
        also = f" and its {counted(len(column.outputs), 'output')}" if column.outputs else ""
        confirm(
            f"Drop the {column.values:,} {name} {nouns(column.values, 'score')}{also} of "
            f"{chosen.name}?",
            yes=yes,
        )
        done = drop_column(session, chosen, name)
    if as_json:
        render.print_json({"dataset": chosen.name, **done.to_dict()})
        return
    what = f"{name} dropped from {chosen.name}"
    if done.outputs:
        what += f" with its outputs {', '.join(done.outputs)}"
    click.echo(f"{what}: {counted(done.deleted, 'result')} deleted")
    if done.replies:
        click.echo(
            f"{counted(done.replies, 'reply remains', 'replies remain')} in the ledger: scoring "
            "again reads them and pays nothing"
        )


@scores.command(
    epilog="""\b
Examples:
  ig4 scores rename clip clip-old
  ig4 scores rename mine quality --dataset mydata
"""
)
@click.argument("old")
@click.argument("new")
@opt.dataset
@opt.config
@opt.shared_options
def rename(
    old: str,
    new: str,
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Give the scores called OLD the name NEW; the outputs of their scorer follow."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.scoring.columns import rename_column

    config = configuration.load(config_file)
    with open_session(db, config, quiet=quiet) as session:
        chosen = session.dataset(dataset or config.dataset.name)
        rename_column(session, chosen, old, new)
    if as_json:
        render.print_json({"dataset": chosen.name, "old": old, "new": new})
    else:
        click.echo(f"{old} of {chosen.name} is called {new} now")


def _origin(column: ScoreColumnSummary) -> str:
    origin: dict[str, Any] = column.origin
    when = f"{column.created_at:%Y-%m-%d %H:%M}, " if column.created_at else ""
    run = f"run {column.runs[-1]}" if column.runs else "run unknown"
    if column.imported:
        of = f" ({origin['column']})" if origin.get("column") else ""
        return f"imported from {origin.get('path') or 'a file'}{of}, {when}{run}"
    if column.output_of:
        return f"output of {column.output_of}, {when}{run}"
    options = ", ".join(f"{key}={value}" for key, value in origin["options"].items())
    told = f" ({options})" if options else ""
    return f"{origin['component']} {origin['version']}{told}, {when}{run}"
