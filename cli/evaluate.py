"""`ig4 eval`: evaluate a model on benchmarks; `show` and `compare` the results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import evaluations as report
from ig4.cli.terminal import render
from ig4.core.counts import counted
from ig4.core.limits import NEW_TOKENS, QUESTIONS

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.contracts.training import Checkpoint, Decoding
    from ig4.core.engine.evaluating.evaluate import EvaluationRequest


class CheckpointGroup(click.Group):
    """A group whose first argument may be a checkpoint instead of a subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put an empty CHECKPOINT before a subcommand, and allow options after a real one."""
        if args and args[0] in self.commands:
            return super().parse_args(ctx, ["", *args])
        ctx.allow_interspersed_args = True
        return super().parse_args(ctx, args)


@click.group(
    name="eval",
    cls=CheckpointGroup,
    invoke_without_command=True,
    subcommand_metavar="[show|compare]",
    epilog="""\b
Examples:
  ig4 eval trained/cc_sbu_align-1-minigpt4 --benchmarks vqa -o vqa.questions=mine.jsonl
  ig4 eval trained/llava-1-llava --benchmarks okvqa,vsr --limit 500 --batch-size 16
  ig4 eval --trainer hf -o hf.model=/models/smolvlm --benchmarks vsr -o vsr.questions=vsr.jsonl
  ig4 eval --predictions answers.jsonl --benchmarks vqa -o vqa.questions=mine.jsonl
  ig4 eval show 3
  ig4 eval compare 2 3

\b
Benchmarks and their options can be set in ig4.toml, as [benchmarks.okvqa] with questions, images;
`ig4 plugins show okvqa` lists the options. Predictions can come from `ig4 generate`, LLaVA,
lmms-eval (samples_*.jsonl), VLMEvalKit (.xlsx, .tsv), or any table of ids and answers.
""",
)
@click.argument("checkpoint", type=opt.PATH, required=False)
@click.option("--benchmarks", metavar="A,B", help="Benchmarks.  [default: those of ig4.toml]")
@click.option("--predictions", type=opt.PATH, metavar="FILE", help="Score answers made elsewhere.")
@click.option("--trainer", metavar="NAME", help="Evaluate a trainer's model before fine-tuning.")
@click.option("--label", help="Name of the model.  [default: that of the checkpoint or file]")
@click.option(
    "--limit", type=click.IntRange(*QUESTIONS), metavar="N", help="Use only the first N questions."
)
@click.option("--image-root", type=opt.PATH, help="Additional folder to read images from.")
@click.option("--max-new-tokens", type=click.IntRange(*NEW_TOKENS),
              help="Maximum tokens of an answer.  [default: that of the benchmark]")  # fmt: skip
@opt.decoding_options
@click.option("--retry-failed", is_flag=True, help="Ask the failed questions again.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the metrics as CSV.")
@opt.seed
@opt.component_options
@opt.config
@opt.shared_options
@click.pass_context
def evaluate(
    ctx: click.Context, /, db: str | None, as_json: bool, as_csv: bool, quiet: bool, **flags: Any
) -> None:
    """Evaluate a CHECKPOINT, or answers made elsewhere, on benchmarks.

    Answers are stored as they arrive; after an interruption, the same command continues. A
    question without an answer (its image is missing, say) counts as wrong; the exit code is then 3.
    """
    if ctx.invoked_subcommand is not None:
        return
    from ig4.cli.session import open_session
    from ig4.core.engine.evaluating import evaluate as engine

    config, requests = _requests(flags)
    with open_session(db, config, create=True, quiet=quiet) as session:
        for request in requests:
            engine.check_benchmark(session, request)
        with session.recorded("eval", {"benchmarks": [one.benchmark.label for one in requests]}):
            results = [engine.evaluate(session, request) for request in requests]
        judged = [one for one in results if _is_judged(session, one.benchmark, config)]
    if as_json:
        render.print_json({"evaluations": [report.as_dict(one) for one in results]})
    elif as_csv:
        report.print_csv(results)
    else:
        report.print_results(results)
    for one in judged:
        click.echo(
            f"{one.benchmark}: a judge rates these answers: `ig4 eval show {one.id} --answers > "
            "answers.jsonl`, then `ig4 judge`",
            err=True,
        )
    failed = sum(one.failed for one in results)
    if failed:
        click.echo(
            f"{counted(failed, 'question')} without an answer, counted as wrong. Reasons: "
            "ig4 eval show N. Try again: --retry-failed",
            err=True,
        )
        raise click.exceptions.Exit(render.PARTIAL)


def _requests(flags: Mapping[str, Any]) -> tuple[Config, list[EvaluationRequest]]:
    from ig4.core import config as configuration
    from ig4.core.engine.evaluating.evaluate import EvaluationRequest
    from ig4.core.errors import UsageError

    first = configuration.load(flags["config_file"])
    names = opt.names(flags["benchmarks"]) or list(first.benchmarks)
    if not names:
        raise UsageError(
            "give --benchmarks, or add them to ig4.toml as [benchmarks.vqa] (`ig4 plugins` lists "
            "them)"
        )
    predictions = flags["predictions"]
    sources = [flags["checkpoint"], flags["trainer"], predictions]
    if sum(one is not None for one in sources) != 1:
        raise UsageError("name a checkpoint's folder, or a --trainer, or a file of --predictions")
    if predictions is not None and len(names) > 1:
        raise UsageError("--predictions is one file of answers: name one benchmark with it")
    trainer = _trainer(flags)
    in_use = {"benchmarks": tuple(names), "trainers": () if trainer is None else (trainer,)}
    tables = opt.settings_by_table(flags["options"], in_use)
    config = configuration.load(flags["config_file"], dict(tables))
    settings = tables.get("trainers", {}).get(trainer or "", {})
    checkpoint = (
        None if trainer is None else _checkpoint(flags["checkpoint"], config, trainer, settings)
    )
    return config, [
        EvaluationRequest(
            benchmark=config.choice("benchmark", name),
            checkpoint=checkpoint,
            predictions=predictions,
            label=flags["label"],
            decoding=_decoding(flags, config),
            limit=flags["limit"],
            image_root=flags["image_root"],
            retry_failed=flags["retry_failed"],
        )
        for name in dict.fromkeys(names)
    ]


def _trainer(flags: Mapping[str, Any]) -> str | None:
    from ig4.core.contracts.training import Checkpoint

    if flags["checkpoint"] is not None:
        return Checkpoint.read(flags["checkpoint"]).trainer
    name: str | None = flags["trainer"]
    return name


def _checkpoint(
    path: Path | None, config: Config, trainer: str, settings: Mapping[str, str]
) -> Checkpoint:
    from ig4.core.engine.training.generate import load_checkpoint

    choice = config.choice("trainer", trainer) if path is None else None
    return load_checkpoint(path, choice, settings)


def _decoding(flags: Mapping[str, Any], config: Config) -> Decoding:
    from ig4.core.contracts.training import Decoding

    names = (
        "max_new_tokens", "temperature", "top_p", "num_beams", "repetition_penalty", "batch_size"
    )  # fmt: skip
    seed = config.run.seed if flags["seed"] is None else flags["seed"]
    return Decoding(**{name: flags[name] for name in names}, seed=seed)


def _is_judged(session: Any, label: str, config: Config) -> bool:
    use = config.choice("benchmark", label).use
    return bool(session.host.load("benchmark", use, runnable=False).judged)


@evaluate.command(
    name="show",
    epilog="""\b
Examples:
  ig4 eval show
  ig4 eval show 3 --csv
  ig4 eval show 3 --answers > answers.jsonl
""",
)
@click.argument("number", type=int, required=False)
@click.option("--answers", is_flag=True, help="Print the answers as JSON lines.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the metrics as CSV.")
@opt.shared_options
def show(
    number: int | None, answers: bool, as_csv: bool, db: str | None, as_json: bool, quiet: bool
) -> None:
    """List evaluations, or show the results of evaluation NUMBER."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.errors import UsageError
    from ig4.storage import evaluations

    with (
        open_session(db, configuration.load(), quiet=quiet) as session,
        session.store.reading() as connection,
    ):
        rows = evaluations.list_all(connection, number)
        answer_rows = [] if number is None else evaluations.predictions(connection, number)
    if number is not None and not rows:
        raise UsageError(f"there is no evaluation {number}: see `ig4 eval show`")
    if answers:
        if number is None:
            raise UsageError("--answers needs the NUMBER of an evaluation")
        report.print_answers(answer_rows)
    elif as_csv:
        report.print_rows_csv(rows)
    elif number is None:
        report.print_list(rows, as_json=as_json)
    else:
        report.print_one(rows[0], answer_rows, as_json=as_json)


@evaluate.command(
    name="compare",
    epilog="""\b
Examples:
  ig4 eval compare 2 3
  ig4 eval compare 2 3 --json
""",
)
@click.argument("first", type=int, metavar="A")
@click.argument("second", type=int, metavar="B")
@opt.shared_options
def compare(first: int, second: int, db: str | None, as_json: bool, quiet: bool) -> None:
    """Test whether evaluation B is better than A, on the questions that both answered.

    The 95 % interval is a bootstrap over pairs of answers; p is from McNemar's exact test, or from
    the sign test if answers are not just right or wrong.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.engine.evaluating.compare import compare as compare_evaluations

    with open_session(db, configuration.load(), quiet=quiet) as session:
        comparison = compare_evaluations(session, first, second)
    report.print_comparison(comparison, as_json=as_json)
