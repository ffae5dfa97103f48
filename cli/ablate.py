"""`ig4 ablate`: arms side by side, trained and evaluated; `ig4 ablate show`: their tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from ig4.core.config import Config
    from ig4.core.engine.ablating.ablate import ArmPlan
    from ig4.core.engine.ablating.result import AblationResult

_FORMATS = click.Choice(["terminal", "markdown", "latex", "csv", "json"])
_format = click.option(
    "--format", "form", type=_FORMATS, help="Of the tables.  [default: by --out, else terminal]"
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
those that ig4.toml defines as [ablate.arms.NAME].
""",
)
@click.option("--arms", metavar="A,B", help="Which.  [default: all,random,ig4,no-clusters,single]")
@click.option("--seeds", type=click.IntRange(1), help="Seeds of each arm.  [default: 5]")
@click.option("--size", type=click.IntRange(1), help="Samples that the arms select.")
@click.option("--trainer", metavar="NAME", help="Trainer.  [default: that of ig4.toml, minigpt4]")
@click.option("--benchmarks", metavar="A,B", help="What the arms are measured by.")
@click.option("--scorers", metavar="NAMES", help="Scorers that count.  [default: all there are]")
@click.option("--weights", metavar="W", help="Weights, as in clip=0.53,length=0.1.")
@click.option("--selector", metavar="NAME", help="Selector.  [default: quota]")
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Cells at a time.  [default: as many as there are GPUs, else 1]")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), metavar="N",
              help="Train every arm for N steps, however large it is.")  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take the first N questions.")
@click.option("--batch-size", type=click.IntRange(1), help="Answers made at a time.  [default: 8]")
@click.option("--image-root", type=opt.PATH, help="Folder that questions' images may be in, too.")
@click.option("--checkpoints", type=opt.PATH, metavar="DIR",
              help="Where models are trained.  [default: ablations]")  # fmt: skip
@click.option("--keep-checkpoints/--remove-checkpoints", default=None,
              help="Keep models after they are evaluated.  [default: remove]")  # fmt: skip
@click.option("--retry-failed", is_flag=True, default=None,
              help="Take up the questions that have no answer.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Tell what it would take; selects, trains nothing.")
@_format
@_out
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
    **flags: Any,
) -> None:
    """Compare arms: train and evaluate each way to choose samples, with several seeds.

    Killed at any moment, the same command goes on. One failed cell stops no other: it is told,
    the exit code is then 3, and the same command tries it again.
    """
    if ctx.invoked_subcommand is not None:
        return
    from ig4.cli.session import open_session
    from ig4.core.engine.ablating import ablate as engine

    config = _config(flags)
    with open_session(db, config, quiet=quiet) as session:
        dataset = session.dataset(flags["dataset"] or config.dataset.name)
        if dry_run:
            _forecast(engine.forecast(session, dataset, config), as_json=as_json)
            return
        done = engine.ablate(session, dataset, config)
    _tell(done, form, out, as_json=as_json)
    if done.failed or done.unanswered:
        if done.failed:
            click.echo(
                f"{done.failed:,} of {done.cells:,} cells failed; the same command tries them "
                "again",
                err=True,
            )
        raise click.exceptions.Exit(render.PARTIAL)


@ablate.command(name="show")
@click.argument("number", type=int, required=False)
@_format
@_out
@opt.config
@opt.shared_options
def show(
    number: int | None,
    form: str | None,
    out: Path | None,
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
            _tell(engine.load_result(session, number), form, out, as_json=as_json)
            return
        rows = engine.list_ablations(session)
        told = [engine.load_result(session, row.id) for row in rows]
    listed = [
        {
            "ablation": row.id,
            "dataset": row.dataset,
            "trainer": row.config["trainer"],
            "arms": len(row.config["arms"]),
            "seeds": len(row.config["seeds"]),
            "benchmarks": list(row.config["benchmarks"]),
            "cells": one.cells,
            "done": one.done,
            "failed": one.failed,
            "created_at": row.created_at.isoformat(),
        }
        for row, one in zip(rows, told, strict=True)
    ]
    if as_json:
        render.print_json(listed)
        return
    columns = ("ablation", "dataset", "trainer", "arms", "seeds", "benchmarks", "done", "failed")
    table = [
        [", ".join(row[name]) if name == "benchmarks" else row[name] for name in columns]
        for row in listed
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
    used = {
        "trainers": (first.ablate.trainer or first.train.trainer,),
        "benchmarks": first.ablate.benchmarks,
        "selectors": (first.select.selector,),
        "clusterers": (first.cluster.clusterer,),
    }
    tables |= opt.settings_by_table(flags["options"], used)
    return configuration.load(flags["config_file"], tables)


def as_dict(done: AblationResult) -> dict[str, Any]:
    """Return what an ablation came to, JSON-able."""
    from ig4.core.engine.ablating import render as armprint

    return {
        "ablation": done.id,
        "dataset": done.dataset,
        "cells": done.cells,
        "done": done.done,
        "failed": done.failed,
        "computed": done.computed,
        "unanswered": done.unanswered,
        **armprint.as_dict(done.report),
    }


def _tell(done: AblationResult, form: str | None, out: Path | None, *, as_json: bool) -> None:
    """Write the tables where they are wanted, and print them, or what else is asked for."""
    from ig4.core.engine.ablating import render as armprint

    if out is not None:
        from ig4.core.files.atomic import replacing

        chosen = form or armprint.SUFFIXES.get(out.suffix.lower(), "markdown")
        with replacing(out) as partial:
            partial.write_text(armprint.render(done.report, chosen), encoding="utf-8")
        click.echo(f"tables written to {out}", err=True)
        form = None
    if as_json:
        render.print_json(as_dict(done))
        return
    form = form or "terminal"
    if form == "terminal":
        click.echo(f"Ablation {done.id}: {done.done:,} of {done.cells:,} cells of {done.dataset}\n")
    click.echo(armprint.render(done.report, form, bold=_bold()), nl=False)


def _bold() -> Callable[[str], str] | None:
    """Return what makes text bold where it is read by people; a star does elsewhere."""
    if not sys.stdout.isatty():
        return None
    return lambda text: click.style(text, bold=True)


def _forecast(plans: list[ArmPlan], *, as_json: bool) -> None:
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
    click.echo(f"{cells:,} cells" + (f", {total:,} steps" if total else ""))
    for one in plans:
        if one.error is not None:
            click.echo(f"arm {one.arm} cannot be prepared: {render.plain(one.error)}")
