"""`ig4 learn-weights`: learn the weights of scores from trainings on subsets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.learning.plan import LearningPlan
    from ig4.core.engine.learning.result import LearningResult


@click.command(
    name="learn-weights",
    epilog="""\b
Examples:
  ig4 learn-weights --trainer hf --benchmarks dev --size 200 --dry-run
  ig4 learn-weights --trainer hf --benchmarks dev --size 200 --jobs 4
  ig4 learn-weights --indicators clip,length,gpt --benchmarks dev --metric dev.accuracy
  ig4 learn-weights --benchmarks dev --subsets 60 --keep clear --name mine --out mine.toml
  ig4 select --recipe ./learned.toml --size 200

\b
Questions to learn from are development questions: ig4 refuses those that an ablation tests on.
The table [ablate] of ig4.toml says where checkpoints go, how many cells run at a time, and more.
""",
)
@click.option("--subsets", type=click.IntRange(3), metavar="N",
              help="Number of subsets.  [default: ten for each indicator]")  # fmt: skip
@click.option("--size", type=click.IntRange(2), metavar="M",
              help="Samples of a subset.  [default: as [ablate] and [select] say]")  # fmt: skip
@click.option("--fraction", type=float, help="Share of the samples, in place of --size.")
@click.option("--indicators", metavar="NAMES",
              help="Scores to learn weights of.  [default: those of [run], or all]")  # fmt: skip
@click.option("--benchmarks", metavar="A,B", help="Benchmarks with development questions.")
@click.option("--metric", metavar="NAME.METRIC",
              help="Result to predict.  [default: the headline of the benchmark]")  # fmt: skip
@click.option("--lower-is-better", is_flag=True, default=None, help="The metric is a loss.")
@click.option("--within", metavar="GROUPER",
              help="Groups whose mix all subsets keep, or none.  [default: auto]")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), help="Trainings of a subset.  [default: 1]")
@click.option("--keep", type=click.Choice(["all", "clear"]),
              help="Indicators to keep: all, or those with a clear effect.")  # fmt: skip
@click.option("--trainer", metavar="NAME", help="Trainer.  [default: that of [ablate] or [train]]")
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Cells that run at a time.  [default: the number of GPUs, else 1]")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), metavar="N", help="Steps of each training.")
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
@click.option("--retry-failed", is_flag=True, default=None,
              help="Ask the failed questions again.")  # fmt: skip
@click.option("--name", metavar="NAME", help="Name of the recipe.  [default: learned]")
@click.option("--out", type=opt.PATH, metavar="FILE", help="Recipe to write.  [default: NAME.toml]")
@click.option("--dry-run", is_flag=True, help="Show subsets, cells and steps, and stop.")
@opt.overwrite
@opt.seed
@opt.component_options
@opt.dataset
@opt.config
@opt.shared_options
def learn_weights(
    db: str | None,
    as_json: bool,
    quiet: bool,
    dry_run: bool,
    overwrite: bool | None,
    **flags: Any,
) -> None:
    """Learn the weights of scores: train on subsets of different quality, and regress.

    Each subset has another mix of low and high scores. A model is trained on each and evaluated on
    development questions; the results tell what each score is worth. An interrupted call continues
    with the same command.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.learning import learn as engine
    from ig4.core.engine.learning.plan import make_learning_plan
    from ig4.core.engine.learning.recipe import write_recipe
    from ig4.core.files.writing.staging import check_target

    config = _config(flags)
    target = config.learn.out or Path(f"{config.learn.name}.toml")
    with open_session(db, config, quiet=quiet) as session:
        dataset = session.dataset(flags["dataset"] or config.dataset.name)
        if dry_run:
            plan = make_learning_plan(session, dataset, config)
            for text in plan.design.notices():
                session.notice(text)
            _print_plan(plan, as_json=as_json)
            return
        check_target(target, overwrite=bool(overwrite), is_file=True)  # before hours of training
        result = engine.learn_weights(session, dataset, config)
        write_recipe(result, target, overwrite=bool(overwrite))
    if as_json:
        render.print_json({**result.to_dict(), "recipe": str(target)})
    else:
        _print_result(result, target)
    if result.failed or result.unanswered:
        if result.failed:
            click.echo(
                f"{result.failed:,} of {counted(result.cells, 'cell')} failed; the same command "
                "tries them again",
                err=True,
            )
        raise click.exceptions.Exit(render.PARTIAL)


def _config(flags: dict[str, Any]) -> Config:
    from ig4.core import config as configuration

    tables: dict[str, Any] = {
        "run": {"seed": flags["seed"]},
        "learn": {
            "indicators": opt.names(flags["indicators"]),
            "benchmarks": opt.names(flags["benchmarks"]),
            **{name: flags[name] for name in _LEARN},
        },
        "ablate": {"output": flags["checkpoints"], **{name: flags[name] for name in _ABLATE}},
    }
    first = configuration.load(flags["config_file"], tables)
    trainer = first.learn.trainer or first.ablate.trainer or first.train.trainer
    names = {
        "trainers": (trainer,),
        "benchmarks": (*first.learn.benchmarks, *first.ablate.benchmarks),
        "groupers": (*opt.groupers_in_use(first, ()), first.learn.within),
    }
    tables |= opt.settings_by_table(flags["options"], names)
    return configuration.load(flags["config_file"], tables)


_LEARN = (
    "subsets", "size", "fraction", "metric", "lower_is_better", "within", "seeds", "keep",
    "trainer", "name", "out",
)  # fmt: skip
_ABLATE = ("jobs", "steps", "limit", "batch_size", "image_root", "retry_failed")


def _print_plan(plan: LearningPlan, *, as_json: bool) -> None:
    steps = plan.steps()
    cells = len(plan.subsets) * len(plan.seeds)
    if as_json:
        render.print_json(
            {
                "dataset": plan.setup.dataset.name,
                "benchmarks": [choice.label for choice in plan.benchmarks],
                "metric": plan.metric.label,
                "within": plan.within,
                "candidates": len(plan.table.sample_ids),
                "size": plan.size,
                "cells": cells,
                "steps": steps,
                "design": plan.design.to_dict(),
            }
        )
        return
    click.echo(
        f"{counted(len(plan.subsets), 'subset')} of {plan.size:,} of "
        f"{len(plan.table.sample_ids):,} samples, "
        + (f"each with the mix of {plan.within}" if plan.within else "without regard to their mix")
    )
    _print_design(plan)
    each = "" if steps is None else f" of {counted(steps, 'step')}"
    click.echo(f"{counted(cells, 'cell')}{each}, evaluated by {plan.metric.label}")


def _print_design(plan: LearningPlan) -> None:
    design = plan.design.to_dict()
    rows = [
        (name, f"{one['lowest']:.1f}", f"{one['highest']:.1f}", f"{one['spread']:.1f}",
         "-" if one["inflation"] is None else f"{one['inflation']:.1f}")
        for name, one in design["indicators"].items()
    ]  # fmt: skip
    render.print_table(("mean percentile of", "lowest", "highest", "deviation", "inflation"), rows)
    condition = design["condition"]
    click.echo(f"condition number {'without end' if condition is None else f'{condition:.1f}'}\n")


def _print_result(result: LearningResult, target: Path) -> None:
    learned = result.learned
    click.echo(
        f"Ablation {result.id}: {len(result.used):,} of "
        f"{counted(len(result.plan.subsets), 'subset')} of {result.dataset}, "
        f"{result.plan.metric.label}\n"
    )
    _print_design(result.plan)
    rows = [
        (one.name, f"{one.weight:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}",
         f"{one.effect:+.4g}", "yes" if one.clear else "no")
        for one in learned.weights
    ]  # fmt: skip
    render.print_table(("indicator", "weight", "95 % interval", "10 points", "clear"), rows)
    click.echo(
        f"R² {learned.r2:.2f}, of left-out subsets {learned.predicted_r2:.2f} "
        f"(p = {learned.p:.4f}): the indicators together: {learned.verdict}\n"
        f"recipe written to {target}: ig4 select --recipe {_path(target)}"
    )


def _path(target: Path) -> str:
    return str(target) if target.is_absolute() or target.parts[0] == ".." else f"./{target}"
