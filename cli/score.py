"""`ig4 score`: compute the scores that are missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.estimating import (
    check_estimate_options,
    estimate_options,
    estimated,
    print_score_estimate,
)
from ig4.cli.terminal import render
from ig4.cli.terminal.checkups import verdicts_text
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.scoring.score import ScoreResult


@click.command(
    epilog="""\b
Examples:
  ig4 score --scorers clip,length
  ig4 score --scorers clip -o clip.pretrained=/models/vit-b-32.pt -o clip.precision=fp32
  ig4 score --spaces clip,text
  ig4 score --spaces sentence -o sentence.reads=answer
  ig4 score --scorers clip --retry-failed
  ig4 score --scorers clip --shard 3/16 --no-check --db part-3.db
  ig4 score --scorers gpt --dry-run
  ig4 score --scorers clip --dry-run --devices 8
  ig4 score --scorers clip --dry-run --measure 256
  ig4 score --scorers gpt --max-cost 5.00 --concurrency 64
  ig4 score --scorers gpt --batch --no-wait
"""
)
@click.option("--scorers", metavar="NAMES", help="Scorers, as in clip,length.")
@click.option(
    "--spaces",
    metavar="NAMES",
    help="Spaces whose vectors to compute, as in clip,text; alone, no scores are computed.",
)
@click.option("--executor", metavar="NAME", help="Executor that runs batches.  [default: local]")
@click.option("--retry-failed", is_flag=True, help="Compute failed samples again.")
@click.option(
    "--recompute",
    multiple=True,
    metavar="NAME",
    help="Replace imported scores, or vectors, by computed ones.",
)
@click.option(
    "--shard",
    metavar="K/N",
    help="Compute the K-th of N parts alone, as in 3/16: for job arrays, one part a job.",
)
@opt.no_check
@click.option(
    "--dry-run", is_flag=True, help="Show what would be computed, time, disk and cost, and stop."
)
@estimate_options
@opt.scoring_options
@opt.component_options
@opt.dataset
@opt.config
@opt.shared_options
def score(
    scorers: str | None,
    spaces: str | None,
    executor: str | None,
    retry_failed: bool,
    recompute: tuple[str, ...],
    shard: str | None,
    no_check: bool,
    dry_run: bool,
    devices: int | None,
    measure: int | None,
    options: tuple[str, ...],
    dataset: str | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
    **asking: Any,
) -> None:
    """Compute the scores that are missing, and the vectors of spaces."""
    from ig4.cli.session import open_planning_session, open_session
    from ig4.core.engine.recordedsettings import with_recorded_options
    from ig4.core.engine.requests import score_request
    from ig4.core.engine.scoring.score import score as compute

    check_estimate_options(dry_run=dry_run, devices=devices, measure=measure)
    wanted = {
        # Who asks for spaces alone wants no scores by default.
        "scorers": [] if scorers is None and spaces is not None else opt.names(scorers),
        "spaces": spaces,
        "executor": executor,
        "check": False if no_check else None,
    }
    config = _configured(wanted, options, asking, config_file)
    planned = dry_run and measure is None
    opened = (open_planning_session if planned else open_session)(db, config, quiet=quiet)
    with opened as session:
        chosen = session.dataset(dataset or config.dataset.name)
        config = with_recorded_options(
            session, chosen, config, scorers=config.run.scorers, spaces=config.run.spaces
        )
        request = score_request(config, retry_failed=retry_failed, recompute=recompute, shard=shard)
        if dry_run:
            expected = estimated(session, chosen, request, devices=devices, measure=measure)
            if as_json:
                render.print_json({**expected.to_dict(), "plan": request.to_dict()})
            else:
                print_score_estimate(expected)
            return
        done = compute(session, chosen, request)
    if as_json:
        render.print_json(_as_dict(chosen.name, done))
    else:
        _print_done(done)
    failures = {**done.failed, **done.spaces}
    if any(failures.values()) or done.stopped:
        render.print_failures(failures, retry="ig4 score --retry-failed")
        render.print_stopped(done, "ig4 score")
        raise click.exceptions.Exit(render.PARTIAL)


def _configured(
    wanted: dict[str, Any],
    options: tuple[str, ...],
    asking: dict[str, Any],
    config_file: Path | None,
) -> Config:
    """Return ig4.toml with what the flags ask for over it."""
    from ig4.core import config as configuration
    from ig4.core.engine.pooling.spacenames import all_parts

    spaces = wanted["spaces"]
    run = wanted | {"spaces": None if spaces is None else list(all_parts([spaces]))}
    flags: dict[str, Any] = {"run": run, "calls": opt.call_settings(asking)}
    first = configuration.load(config_file, flags)
    kinds = {
        "scorers": first.run.scorers,
        # The embedder of a scorer's name takes the scorer's options; see `embedder_choice`.
        "embedders": [name for name in first.run.spaces if name not in first.run.scorers],
        "executors": (first.run.executor,),
    }
    flags |= opt.settings_by_table(options, kinds)
    opt.set_prompt(flags, first, asking["prompt"])
    return configuration.load(config_file, flags)


def _as_dict(dataset: str, done: ScoreResult) -> dict[str, Any]:
    """Return what `ig4 score --json` prints."""
    return {
        "dataset": dataset,
        "scored": dict(done.done),
        "failed": dict(done.failed),
        "without_image": render.nonzero(done.without_image),
        "by_others": render.nonzero(done.others),
        "waiting_for_shards": dict(done.waiting),
        "embedded": done.embedded,
        "spaces": {name: {"without": count} for name, count in done.spaces.items()},
        "components": dict(done.identities),
        **render.calls_fields(done),
        **({"check": done.checked.to_dict()} if done.checked else {}),
    }


def _print_done(done: ScoreResult) -> None:
    for name in done.done:
        click.echo(f"{name}: {render.scorer_summary(done, name)}")
    for name, count in done.spaces.items():
        failed = f"; {counted(count, 'sample has', 'samples have')} none" if count else ""
        click.echo(f"{name}: vectors are there{failed}")
    if done.asked:
        click.echo(f"calls: {render.calls_summary(done.asked)}")
    if done.checked:
        click.echo(f"check: {verdicts_text(done.checked)}")
