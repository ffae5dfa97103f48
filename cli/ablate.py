"""`ig4 ablate`: train and evaluate arms; `ig4 ablate show`: their tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ig4.core.config import Config
    from ig4.core.engine.ablating.ablate import ArmPlan
    from ig4.core.engine.ablating.result import AblationResult

_FORMATS = click.Choice(["terminal", "markdown", "latex", "csv", "json"])
_format = click.option(
    "--format",
    "form",
    type=_FORMATS,
    help="Format of the tables.  [default: by the suffix of --out, else terminal]",
)
_out = click.option("--out", type=opt.PATH, metavar="FILE", help="Write the tables to a file.")


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  ig4 ablate --trainer llava --benchmarks vqa -o vqa.questions=test.jsonl --size 200 --dry-run
  ig4 ablate --trainer hf --benchmarks okvqa,vsr --seeds 5 --jobs 4
  ig4 ablate --arms all,random,ig4,single,without --benchmarks vqa --format latex --out table.tex
  ig4 ablate --arms "ig4,random,sizes:100|200|400,clusters:5|20" --benchmarks vqa
  ig4 ablate show 2 --format markdown

\b
Arms: all, random, ig4 (the selector as configured), no-clusters, base (not trained), single,
without, weights:A=0.5+B=0.5|…, scales:…, clusterers, clusters:K|…, sizes:N|…, selectors:…, and
those defined in ig4.toml as [ablate.arms.NAME].
""",
)
@click.option("--arms", metavar="A,B", help="Arms.  [default: all,random,ig4,no-clusters,single]")
@click.option("--seeds", type=click.IntRange(1), help="Seeds per arm.  [default: 5]")
@click.option("--size", type=click.IntRange(1), help="Number of samples that an arm selects.")
@click.option("--trainer", metavar="NAME", help="Trainer.  [default: that of ig4.toml, minigpt4]")
@click.option("--benchmarks", metavar="A,B", help="Benchmarks to evaluate the arms on.")
@click.option("--scorers", metavar="NAMES", help="Scorers to use.  [default: all with scores]")
@click.option("--weights", metavar="W", help="Weights, as in clip=0.53,length=0.1.")
@click.option("--selector", metavar="NAME", help="Selector.  [default: quota]")
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Cells that run at a time.  [default: the number of GPUs, else 1]")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), metavar="N",
              help="Train every arm for N steps, whatever its size.")  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(1), metavar="N", help="Use only the first N questions."
)
@click.option(
    "--batch-size", type=click.IntRange(1), help="Answers generated at a time.  [default: 8]"
)
@click.option(
    "--image-root", type=opt.PATH, help="Additional folder to read images of questions from."
)
@click.option("--checkpoints", type=opt.PATH, metavar="DIR",
              help="Folder for the checkpoints.  [default: ablations]")  # fmt: skip
@click.option("--keep-checkpoints/--remove-checkpoints", default=None,
              help="Keep checkpoints after their evaluation.  [default: remove]")  # fmt: skip
@click.option("--retry-failed", is_flag=True, default=None,
              help="Ask the failed questions again.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show arms, cells and steps, and stop.")
@_format
@_out
@opt.overwrite
@opt.seed
@opt.component_options
@opt.dataset
@opt.config
@opt.shared_options
@click.pass_context
def ablate(
    ctx: click.Context,
    /,
    db: str | None,
    as_json: bool,
    quiet: bool,
    dry_run: bool,
    form: str | None,
    out: Path | None,
    overwrite: bool | None,
    **flags: Any,
) -> None:
    """Compare ways to select samples: train and evaluate each, with several seeds.

    Each way is an arm; an arm with one seed is a cell. An interrupted ablation continues with the
    same command. A failed cell does not stop the others: the exit code is 3, and the same command
    tries it again.
    """
    if ctx.invoked_subcommand is not None:
        return
    from ig4.cli.session import open_session
    from ig4.core.engine.ablating import ablate as engine
    from ig4.core.files.writing.staging import check_target

    config = _config(flags)
    if out is not None:  # before hours of training
        check_target(out, overwrite=bool(overwrite), is_file=True)
    with open_session(db, config, quiet=quiet) as session:
        dataset = session.dataset(flags["dataset"] or config.dataset.name)
        if dry_run:
            _print_plan(engine.forecast(session, dataset, config), as_json=as_json)
            return
        done = engine.ablate(session, dataset, config)
    _print_result(done, form, out, as_json=as_json, overwrite=bool(overwrite))
    if done.failed or done.unanswered:
        if done.failed:
            click.echo(
                f"{done.failed:,} of {counted(done.cells, 'cell')} failed; the same command tries "
                "them again",
                err=True,
            )
        raise click.exceptions.Exit(render.PARTIAL)


@ablate.command(
    name="show",
    epilog="""\b
Examples:
  ig4 ablate show
  ig4 ablate show 2 --format latex --out table.tex
""",
)
@click.argument("number", type=int, required=False)
@_format
@_out
@opt.overwrite
@opt.config
@opt.shared_options
def show(
    number: int | None,
    form: str | None,
    out: Path | None,
    overwrite: bool | None,
    config_file: Path | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """List ablations, or print the tables of ablation NUMBER."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.ablating import result as engine

    with open_session(db, configuration.load(config_file), quiet=quiet) as session:
        if number is not None:
            result = engine.load_result(session, number)
            _print_result(result, form, out, as_json=as_json, overwrite=bool(overwrite))
            return
        rows = engine.list_ablations(session)
        results = [engine.load_result(session, row.id) for row in rows]
    records = [
        {
            "ablation": row.id,
            "dataset": row.dataset,
            "trainer": row.config["trainer"],
            "arms": len(row.config["arms"]),
            "seeds": len(row.config["seeds"]),
            "benchmarks": list(row.config["benchmarks"]),
            "cells": result.cells,
            "done": result.done,
            "failed": result.failed,
            "created_at": row.created_at.isoformat(),
        }
        for row, result in zip(rows, results, strict=True)
    ]
    if as_json:
        render.print_json(records)
        return
    columns = ("ablation", "dataset", "trainer", "arms", "seeds", "benchmarks", "done", "failed")
    table = [
        [", ".join(one[name]) if name == "benchmarks" else one[name] for name in columns]
        for one in records
    ]
    render.print_table(columns, table)


def _config(flags: dict[str, Any]) -> Config:
    from ig4.core import config as configuration
    from ig4.core.engine.selecting.weights import parse_weights

    tables: dict[str, Any] = {
        "run": {"seed": flags["seed"], "scorers": opt.names(flags["scorers"])},
        "select": {
            "selector": flags["selector"],
            "weights": parse_weights(flags["weights"]) if flags["weights"] else None,
        },
        "ablate": {
            "compare": opt.names(flags["arms"]),
            "seeds": flags["seeds"],
            "size": flags["size"],
            "trainer": flags["trainer"],
            "benchmarks": opt.names(flags["benchmarks"]),
            "jobs": flags["jobs"],
            "steps": flags["steps"],
            "limit": flags["limit"],
            "batch_size": flags["batch_size"],
            "image_root": flags["image_root"],
            "output": flags["checkpoints"],
            "keep_checkpoints": flags["keep_checkpoints"],
            "retry_failed": flags["retry_failed"],
        },
    }
    first = configuration.load(flags["config_file"], tables)
    names = {
        "trainers": (first.ablate.trainer or first.train.trainer,),
        "benchmarks": first.ablate.benchmarks,
        "selectors": (first.select.selector,),
        "clusterers": (first.cluster.clusterer,),
    }
    tables |= opt.settings_by_table(flags["options"], names)
    return configuration.load(flags["config_file"], tables)


def as_dict(result: AblationResult) -> dict[str, Any]:
    """Return an ablation's result as a JSON-able dict."""
    from ig4.core.engine.ablating import render as tables

    return {
        "ablation": result.id,
        "dataset": result.dataset,
        "cells": result.cells,
        "done": result.done,
        "failed": result.failed,
        "computed": result.computed,
        "unanswered": result.unanswered,
        **tables.as_dict(result.report),
    }


def _print_result(
    result: AblationResult,
    form: str | None,
    out: Path | None,
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    """Write the tables to `out`, if given, and print the result as JSON or as tables."""
    from ig4.core.engine.ablating import render as tables

    if out is not None:
        from ig4.core.files.writing.staging import staged_file

        file_form = form or tables.SUFFIXES.get(out.suffix.lower(), "markdown")
        with staged_file(out, overwrite=overwrite) as file:
            file.write_text(tables.render(result.report, file_form), encoding="utf-8")
        click.echo(f"tables written to {out}", err=True)
        form = None
    if as_json:
        render.print_json(as_dict(result))
        return
    form = form or "terminal"
    if form == "terminal":
        click.echo(
            f"Ablation {result.id}: {result.done:,} of {counted(result.cells, 'cell')} of "
            f"{result.dataset}\n"
        )
    click.echo(tables.render(result.report, form, bold=_bold()), nl=False)


def _bold() -> Callable[[str], str] | None:
    """Return a function that makes text bold on a terminal; elsewhere a star marks it."""
    if not sys.stdout.isatty():
        return None
    return lambda text: click.style(text, bold=True)


def _print_plan(plans: list[ArmPlan], *, as_json: bool) -> None:
    if as_json:
        render.print_json(
            {
                "arms": [
                    {
                        "arm": one.arm,
                        "takes": one.take,
                        "samples": one.samples,
                        "seeds": one.seeds,
                        "steps": one.steps,
                        "error": one.error,
                    }
                    for one in plans
                ],
                "cells": sum(one.seeds for one in plans if one.error is None),
            }
        )
        return
    rows = [
        (one.arm, one.take, one.samples, one.seeds, one.steps,
         None if one.steps is None else one.steps * one.seeds)
        for one in plans
    ]  # fmt: skip
    render.print_table(("arm", "takes", "samples", "cells", "steps each", "steps"), rows)
    cells = sum(one.seeds for one in plans if one.error is None)
    total = sum((one.steps or 0) * one.seeds for one in plans)
    click.echo(counted(cells, "cell") + (f", {counted(total, 'step')}" if total else ""))
    for one in plans:
        if one.error is not None:
            click.echo(f"arm {one.arm} cannot be prepared: {render.plain(one.error)}")
