"""`ig4 costs`: the calls of language models and their cost."""

from __future__ import annotations

from dataclasses import asdict

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted

GROUPS = ("model", "scorer", "run", "day")


@click.command(
    epilog="""\b
Examples:
  ig4 costs
  ig4 costs --by day
  ig4 costs --by run --json
"""
)
@click.option(
    "--by",
    type=click.Choice(GROUPS),
    default="model",
    show_default=True,
    help="What to group by.",
)
@opt.shared_options
def costs(by: str, db: str | None, as_json: bool, quiet: bool) -> None:
    """Sum the calls of language models and their cost in US dollars."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.storage import calls

    with (
        open_session(db, configuration.load(), quiet=quiet) as session,
        session.store.reading() as connection,
    ):
        sums = calls.sum_costs(connection, by)
    total = sum(one.cost for one in sums)
    lost, lost_cost = sum(one.lost for one in sums), sum(one.lost_cost for one in sums)
    if as_json:
        groups = [{by: one.group, **{k: v for k, v in asdict(one).items() if k != "group"}}
                  for one in sums]  # fmt: skip
        render.print_json(
            {"by": by, "groups": groups, "cost": total, "lost": lost, "lost_cost": lost_cost}
        )
        return
    columns = ["calls", "tokens in", "tokens out", "US$", "no price", "failed"]
    fields = ["calls", "input_tokens", "output_tokens", "cost", "unpriced", "failed"]
    if lost:
        columns += ["perhaps paid", "US$ at most"]
        fields += ["lost", "lost_cost"]
    rows = [(one.group, *(getattr(one, field) for field in fields)) for one in sums]
    render.print_table((by, *columns), rows)
    click.echo(f"total: ${total:,.4f}")
    if lost:
        most = f" (${lost_cost:,.4f} at most)" if lost_cost else ""
        click.echo(
            f"{counted(lost, 'request')} in lost batches may have been paid as well{most}: `ig4 "
            "batch list` names the batches.",
            err=True,
        )
    if any(one.unpriced for one in sums):
        click.echo(
            'The price of some models is unknown: add [prices."MODEL"] to ig4.toml.', err=True
        )
