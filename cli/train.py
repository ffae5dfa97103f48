"""`ig4 train`: fine-tune a model on a selection; `ig4 train show`: list trainings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.contracts.training import Footprint
    from ig4.core.engine.training.train import TrainingResult
    from ig4.core.engine.training.trainingset import TrainingRequest
    from ig4.storage.trainings import TrainingRow

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  ig4 train --trainer minigpt4 --selection last --dry-run
  ig4 train --trainer llava -o llava.stage=lora -o llava.micro_batch_size=4
  ig4 train --trainer hf -o hf.model=Qwen/Qwen2.5-VL-3B-Instruct --selection all
  accelerate launch --multi_gpu --num_processes 4 -m ig4 train --trainer hf
  ig4 train show 3
""",
)
@click.option("--trainer", metavar="NAME", help="Trainer.  [default: minigpt4]")
@click.option("--selection", metavar="N|last|all", help="Selection to train on.  [default: last]")
@click.option(
    "--out", type=opt.PATH, help="Folder of the checkpoint.  [default: trained/DATASET-N-TRAINER]"
)
@click.option(
    "--missing",
    type=click.Choice(["error", "skip"]),
    help="Stop if the trainer cannot take some samples, or skip them.  [default: error]",
)
@click.option("--no-check", is_flag=True, help="Do not check all samples before training.")
@click.option("--overwrite", is_flag=True, help="Overwrite another training in the folder.")
@click.option("--dry-run", is_flag=True, help="Show steps, parameters and memory, and stop.")
@opt.seed
@opt.component_options
@opt.dataset
@opt.config
@opt.shared_options
@click.pass_context
def train(
    ctx: click.Context, /, db: str | None, as_json: bool, quiet: bool, dry_run: bool, **flags: Any
) -> None:
    """Fine-tune a model on a selection.

    An interrupted training continues from its last saved state: run the same command again.
    """
    if ctx.invoked_subcommand is not None:
        return
    from ig4.cli.session import open_session
    from ig4.core.contracts.training import is_main_process
    from ig4.core.engine.training import train as training

    config, request = _request(flags)
    quiet = quiet or not is_main_process()
    with open_session(db, config, quiet=quiet) as session:
        name = flags["dataset"]
        make = request.selection == "all"
        dataset = session.dataset(name, make=make) if name else None
        if dry_run:
            footprint, samples, output = training.footprint(session, dataset, request)
            _print_footprint(footprint, samples, output, as_json=as_json)
            return
        result = training.train(session, dataset, request)
    if not is_main_process():
        return
    if as_json:
        render.print_json(as_dict(result))
    else:
        _print_result(result)


@train.command(
    name="show",
    epilog="""\b
Examples:
  ig4 train show
  ig4 train show 3
  ig4 train show 3 --csv > curve.csv
""",
)
@click.argument("number", type=int, required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print the steps of a training as CSV.")
@opt.shared_options
def show(number: int | None, as_csv: bool, db: str | None, as_json: bool, quiet: bool) -> None:
    """List trainings, or show the loss curve of training NUMBER."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.training.train import mark_interrupted
    from ig4.core.errors import UsageError
    from ig4.storage import trainings

    with open_session(db, configuration.load(), quiet=quiet) as session:
        mark_interrupted(session)
        with session.store.reading() as connection:
            rows = trainings.list_all(connection, number)
            steps = trainings.steps(connection, number) if number is not None else []
    if number is None:
        _list(rows, as_json=as_json)
        return
    if not rows:
        raise UsageError(f"there is no training {number}: see `ig4 train show`")
    names = ("step", "epoch", "loss", "learning_rate", "grad_norm", "seconds")
    if as_csv:
        click.echo(",".join(names))
        for row in steps:
            click.echo(",".join("" if value is None else repr(value) for value in row))
    elif as_json:
        curve = [dict(zip(names, row, strict=True)) for row in steps]
        render.print_json({**_as_dict(rows[0]), "curve": curve})
    else:
        _show(rows[0], steps)


def _request(flags: dict[str, Any]) -> tuple[Config, TrainingRequest]:
    from ig4.core import config as configuration
    from ig4.core.engine.training.trainingset import TrainingRequest

    tables: dict[str, Any] = {
        "run": {"seed": flags["seed"]},
        "train": {
            "trainer": flags["trainer"],
            "selection": flags["selection"],
            "path": flags["out"],
            "missing": flags["missing"],
        },
    }
    first = configuration.load(flags["config_file"], tables)
    tables |= opt.settings_by_table(flags["options"], {"trainers": (first.train.trainer,)})
    config = configuration.load(flags["config_file"], tables)
    return config, TrainingRequest(
        trainer=config.choice("trainer", config.train.trainer),
        selection=config.train.selection,
        output=config.train.path,
        seed=config.run.seed,
        missing=config.train.missing,
        check_images=not flags["no_check"],
        overwrite=flags["overwrite"],
    )


def as_dict(result: TrainingResult) -> dict[str, Any]:
    """Return a training's result as a JSON-able dict."""
    return {
        "training": result.id,
        "dataset": result.dataset,
        "selection": result.selection,
        "samples": result.samples,
        "left_out": result.left_out,
        "left_out_by_reason": dict(result.reasons),
        "cut_answers": result.cut_answers,
        "trainer": result.checkpoint.trainer,
        "checkpoint": str(result.checkpoint.path),
        "reused": result.reused,
        "metrics": dict(result.checkpoint.metrics),
    }


def _print_result(result: TrainingResult) -> None:
    metrics = result.checkpoint.metrics
    source = "all of it" if result.selection is None else f"selection {result.selection}"
    facts: dict[str, Any] = {
        "trained on": f"{counted(result.samples, 'sample')} of {result.dataset} ({source})",
        **_counts(result),
        "steps": metrics.get("steps"),
        "last loss": metrics.get("loss"),
        "seconds": metrics.get("seconds"),
    }
    if "peak_memory" in metrics:
        facts["peak memory"] = _size(int(metrics["peak_memory"]))
    facts["checkpoint"] = result.checkpoint.path
    render.print_facts(facts)
    click.echo(f"Use it: ig4 generate {result.checkpoint.path} --questions FILE, or --chat IMAGE")


def _counts(result: TrainingResult) -> dict[str, str]:
    """Return what was left out and what was cut, in words; nothing if nothing was."""
    counts = {}
    if result.left_out:
        reasons = "; ".join(f"{reason}: {count:,}" for reason, count in result.reasons.items())
        counts["left out"] = f"{counted(result.left_out, 'sample')} ({reasons})"
    if result.cut_answers:
        counts["answers cut"] = f"those of {counted(result.cut_answers, 'sample')}"
    return counts


def _print_footprint(
    footprint: Footprint | None, samples: int, output: Path, *, as_json: bool
) -> None:
    if footprint is None:
        if as_json:
            render.print_json({"samples": samples, "output": str(output)})
        else:
            click.echo(
                f"{counted(samples, 'sample')}; the trainer gives no estimate of steps and memory"
            )
        return
    if as_json:
        render.print_json(
            {
                "samples": samples,
                "steps": footprint.steps,
                "batch": footprint.batch,
                "parameters": dict(footprint.parameters),
                "trained": footprint.trained,
                "memory": dict(footprint.memory),
                "notes": list(footprint.notes),
                "output": str(output),
            }
        )
        return
    click.echo(
        f"{counted(samples, 'sample')}, {counted(footprint.steps, 'step')} of {footprint.batch:,}; "
        f"checkpoint in {output}"
    )
    total = sum(footprint.parameters.values())
    rows = [*footprint.parameters.items(), ("total", total), ("trained", footprint.trained)]
    render.print_table(("parameters of", "count"), [(n, f"{count:,}") for n, count in rows])
    memory = [*footprint.memory.items(), ("total, about", sum(footprint.memory.values()))]
    render.print_table(("memory for", "size"), [(name, _size(size)) for name, size in memory])
    for note in footprint.notes:
        click.echo(note)


def _list(rows: list[TrainingRow], *, as_json: bool) -> None:
    if as_json:
        render.print_json([_as_dict(row) for row in rows])
        return
    render.print_table(
        ("training", "trainer", "data set", "selection", "samples", "status", "steps", "loss",
         "checkpoint"),
        [
            (
                row.id,
                row.trainer,
                row.dataset,
                "all" if row.selection_id is None else str(row.selection_id),
                row.samples,
                row.status,
                f"{row.done or 0:,} of {row.steps:,}" if row.steps else "",
                (row.metrics or {}).get("loss"),
                row.output,
            )
            for row in rows
        ],
    )  # fmt: skip


def _show(row: TrainingRow, steps: list[tuple[Any, ...]]) -> None:
    source = "all" if row.selection_id is None else f"selection {row.selection_id}"
    click.echo(
        f"Training {row.id}: {row.trainer} on {counted(row.samples, 'sample')} of {row.dataset} "
        f"({source}), {row.status}; seed {row.seed}; {row.output}"
    )
    if row.error:
        click.echo(f"error: {render.plain(row.error)}")
    if not steps:
        click.echo("no steps yet")
        return
    losses = [step[2] for step in steps]
    click.echo(f"loss  {sparkline(losses, _WIDTH)}  {losses[0]:.4f} -> {losses[-1]:.4f}")
    stride = max(1, len(steps) // 10)
    shown = steps[::stride]
    if shown[-1] is not steps[-1]:
        shown.append(steps[-1])
    render.print_table(
        ("step", "epoch", "loss", "learning rate", "grad norm", "seconds"),
        [(s, e, loss, f"{rate:.3e}", norm, seconds) for s, e, loss, rate, norm, seconds in shown],
    )


def sparkline(values: list[float], width: int) -> str:
    """Return at most `width` blocks, each as high as the mean of a part of the values."""
    size = max(1, -(-len(values) // width))
    means = [
        sum(part) / len(part)
        for part in (values[at : at + size] for at in range(0, len(values), size))
    ]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)


def _as_dict(row: TrainingRow) -> dict[str, Any]:
    return {
        "training": row.id,
        "trainer": row.trainer,
        "dataset": row.dataset,
        "selection": row.selection_id,
        "samples": row.samples,
        "seed": row.seed,
        "status": row.status,
        "steps": row.steps,
        "done": row.done,
        "checkpoint": row.output,
        "options": dict(row.options),
        "metrics": row.metrics,
        "error": row.error,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at and row.finished_at.isoformat(),
    }


def _size(count: int) -> str:
    """Return a number of bytes as text, as in 1.5 GB."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
