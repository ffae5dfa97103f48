"""`ig4 groups`: the kinds of samples that a data set is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.engine.grouping.summary import GroupsResult


_ALONE = ("auto", "source", "form", "clusters", "dataset")
"""Groupers that are made from no others, so that `-o` is for them alone."""


@click.command(
    epilog="""\b
Examples:
  ig4 groups
  ig4 groups --by form -o form.min_size=50
  ig4 groups --by source -o 'source.key=$.metadata.kind'
  ig4 groups --by clusters -o clusters.space=text -o clusters.k=30
  ig4 groups --dataset mydata --by product -o product.of=source,form --json
"""
)
@click.argument("name", required=False)
@click.option(
    "--by",
    metavar="GROUPER",
    default="auto",
    help="auto, source, form, clusters, product, dataset, or one of a plugin.  [default: auto]",
)
@click.option("--scorers", metavar="A,B", help="Scores to show.  [default: all there are]")
@opt.dataset
@opt.component_options
@opt.config
@opt.shared_options
def groups(
    name: str | None,
    by: str,
    scorers: str | None,
    dataset: str | None,
    options: tuple[str, ...],
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show the kinds of samples in a data set, and what scores tell of them.

    NAME is the data set, which you may also name with --dataset.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.grouping.summary import summarize_groups
    from ig4.core.engine.pooling.staleness import tell_stale
    from ig4.core.engine.requests import group_sources, pool_settings
    from ig4.core.host.host import Host

    if name and dataset and name != dataset:
        raise UsageError(
            f"two data sets are named, {name} and --dataset {dataset}: give one of them"
        )
    used = [by]
    if by not in _ALONE:  # it may be made from others
        used += [one.component.name for one in Host.discover().components("grouper")]
        used += configuration.load(config_file).groupers
    kinds = {"groupers": tuple(dict.fromkeys(used))}
    config = configuration.load(config_file, opt.settings_by_table(options, kinds))
    with open_session(db, config, quiet=quiet) as session:
        chosen = session.dataset(name or dataset or config.dataset.name)
        tell_stale(session, chosen, pool_settings(config), opt.names(scorers))
        found = summarize_groups(
            session,
            chosen,
            config.choice("grouper", by),
            group_sources(config),
            scorers=opt.names(scorers),
        )
    if as_json:
        render.print_json(found.to_dict())
        return
    _print(found)


def _print(found: GroupsResult) -> None:
    names = list(found.eta_squared)
    rows: list[tuple[object, ...]] = [
        (group.name, group.size, f"{group.share:.1%}", *(group.means[name] for name in names))
        for group in found.groups
    ]
    render.print_table(("group", "samples", "share", *names), rows)
    if found.without:
        click.echo(f"{counted(found.without, 'sample is', 'samples are')} in no group", err=True)
    if names:
        click.echo("\nShare of the variance that lies between groups (eta squared):")
        shares = [(name, found.eta_squared[name]) for name in names]
        render.print_table(("scores", "eta squared"), shares)
