"""`ig4 check`: tell which scores are worth trusting on their data."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.cli.terminal.checkups import print_check
from ig4.core.limits import PAIRS, SEED


@click.command(
    epilog="""\b
Examples:
  ig4 check
  ig4 check clip,length --pairs 200
  ig4 check --json
  ig4 check gpt --paid --max-cost 1.00     # rates 500 samples again
  ig4 check clip --anew                    # although nothing has changed
"""
)
@click.argument("scorers", required=False)
@click.option(
    "--pairs",
    type=click.IntRange(*PAIRS),
    default=500,
    show_default=True,
    help="Samples at most that are rated again with another's answer.",
)
@click.option("--paid", is_flag=True, help="Let scorers that ask paid services rate them too.")
@click.option("--anew", is_flag=True, help="Check also what is known already.")
@click.option("--executor", metavar="NAME", help="Executor that runs batches.  [default: local]")
@click.option(
    "--seed",
    type=click.IntRange(*SEED),
    default=42,
    show_default=True,
    help="Seed that draws the samples.",
)
@opt.call_options
@opt.dataset
@opt.config
@opt.shared_options
def check(
    scorers: str | None,
    pairs: int,
    paid: bool,
    anew: bool,
    executor: str | None,
    seed: int,
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
    **asking: Any,
) -> None:
    """Tell which scores are worth trusting on their data, and which are noise.

    SCORERS are names as in clip,length; by default all that the data set has. Each scorer rates
    samples again with the answers of others: one that cannot tell these from the own ones is noise.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.checkups.check import check as check_columns
    from ig4.core.engine.pooling.staleness import tell_stale
    from ig4.core.engine.requests import check_request, pool_settings
    from ig4.core.errors import UnknownNameError, UsageError

    flags: dict[str, Any] = {
        "run": {"executor": executor},
        "calls": opt.call_settings(asking),
    }
    config = configuration.load(config_file, flags)
    request = check_request(
        config,
        scorers=opt.names(scorers),
        pairs=pairs,
        seed=seed,
        paid=paid,
        reuse=not anew,
    )
    with open_session(db, config, quiet=quiet) as session:
        try:
            chosen = session.dataset(dataset or config.dataset.name)
            tell_stale(session, chosen, pool_settings(config), request.scorers)
            result = check_columns(session, chosen, request)
        except (UnknownNameError, UsageError):
            if dataset is None and session.knows_datasets(request.scorers or ()):
                raise UsageError(
                    f"{scorers} is a data set, and `ig4 check` takes names of scores: "
                    f"`ig4 check --dataset {shlex.quote(scorers or '')}` checks those that it has"
                ) from None
            raise
    if as_json:
        render.print_json(result.to_dict())
    else:
        print_check(result)
