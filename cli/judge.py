"""`ig4 judge`: compare two files of answers, summarise reviews, show judgements."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.counts import counted, verb

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.judging.judge import JudgeEstimate, JudgeResult
    from ig4.core.engine.judging.plan import JudgeRequest
    from ig4.core.files.answers.relativescores import ReviewRun
    from ig4.storage.judgements import JudgementRow, VerdictRow

_DEFAULT = "compare"
_SHOWN = 10  # errors


class JudgeGroup(click.Group):
    """A group whose default command is `compare`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command first, unless the first argument is a command."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=JudgeGroup,
    epilog="""\b
Examples:
  ig4 judge selected.jsonl all.jsonl --questions q.jsonl --contexts context.jsonl --dry-run
  ig4 judge selected.jsonl all.jsonl --questions q.jsonl --contexts context.jsonl --max-cost 2
  ig4 judge selected.jsonl all.jsonl --questions q.jsonl --vision --plot figure1.svg
  ig4 judge summarize reviews.jsonl --json
  ig4 judge show 1
""",
)
def judge() -> None:
    """Compare two files of answers with a judge, each pair in both orders.

    `ig4 judge A.jsonl B.jsonl` means `ig4 judge compare A.jsonl B.jsonl`.
    """


@judge.command(
    epilog="""\b
Examples:
  ig4 judge compare selected.jsonl all.jsonl --questions q.jsonl --contexts context.jsonl

\b
Answer files have one JSON object per line with the id of a question and the answer: those of
`ig4 generate`, of LLaVA (question_id, text), or any with id and answer.
"""
)
@click.argument("first", type=opt.PATH, metavar="A.jsonl")
@click.argument("second", type=opt.PATH, metavar="B.jsonl")
@click.option("--questions", type=opt.PATH, required=True, help="The questions of both files.")
@click.option("--contexts", type=opt.PATH, help="JSON lines with image and caption.")
@click.option("--judge", "name", default="gpt", show_default=True, metavar="NAME", help="Judge.")
@click.option("--vision", is_flag=True, help="Show the judge the images instead of captions.")
@click.option("--labels", metavar="A,B", help="Names of both sides.  [default: models or files]")
@click.option("--image-root", type=opt.PATH, help="Additional folder to read images from.")
@click.option("--retry-failed", is_flag=True, help="Request the failed verdicts again.")
@click.option("--dry-run", is_flag=True, help="Show requests, tokens and cost, and stop.")
@click.option("--plot", type=opt.PATH, metavar="SVG", help="Also draw win, tie and fail as SVG.")
@opt.overwrite
@opt.call_options
@opt.seed
@opt.component_options
@opt.config
@opt.shared_options
def compare(
    db: str | None,
    as_json: bool,
    quiet: bool,
    dry_run: bool,
    plot: Path | None,
    overwrite: bool | None,
    **flags: Any,
) -> None:
    """Compare the answers of A.jsonl and B.jsonl: win, tie or fail of A.

    Every verdict is stored when it arrives: after an interruption or a limit, the same command
    continues, and no request is paid twice.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.judging import judge as judging
    from ig4.core.files.writing.staging import check_target

    config, request = _request(flags)
    if plot is not None:  # before anything is paid for
        check_target(plot, overwrite=bool(overwrite), is_file=True)
    with open_session(db, config, create=True, quiet=quiet) as session:
        if dry_run:
            _print_estimate(judging.estimate(session, request), as_json=as_json)
            return
        result = judging.judge(session, request)
    summary = result.summary.to_dict()
    if plot is not None:
        _draw(plot, summary, (result.first, result.second), overwrite=bool(overwrite))
    if as_json:
        render.print_json(as_dict(result))
    else:
        _print_result(result, summary, plot)
    if result.summary.failed:
        click.echo(
            f"{result.summary.failed:,} of {counted(result.pairs, 'pair')} "
            f"{verb(result.summary.failed, 'has', 'have')} no verdict: see "
            f"`ig4 judge show {result.id}`, try again with --retry-failed",
            err=True,
        )
    if result.stopped and result.asked:
        goes_on = " The same command continues from here." if result.asked.goes_on else ""
        click.echo(f"Stopped: {result.stopped}.{goes_on}", err=True)
    if result.summary.failed or result.open:
        raise click.exceptions.Exit(render.PARTIAL)


@judge.command(
    epilog="""\b
Examples:
  ig4 judge summarize reviews.jsonl
  ig4 judge summarize run1.jsonl run2.jsonl --reader llava --json
"""
)
@click.argument("reviews", type=opt.PATH, nargs=-1, required=True)
@click.option(
    "--reader",
    type=click.Choice(["robust", "llava"]),
    help="Read scores from texts: robustly, or as strictly as the script of LLaVA.",
)
@opt.seed
@opt.as_json
def summarize(
    reviews: tuple[Path, ...], reader: str | None, seed: int | None, as_json: bool
) -> None:
    """Summarise reviews made elsewhere: the relative score, overall and by category.

    A review has two scores ("tuple") or a text that begins with them ("content"), and a category,
    as in LLaVA-Bench. The relative score is the second score in percent of the first. Several
    files are several runs: each is summarised, then their mean.
    """
    from ig4.core.files.answers.relativescores import mean_scores, summarise_file
    from ig4.core.files.repeats import repeated

    seed = 42 if seed is None else seed
    runs = [summarise_file(path, reader, seed=seed) for path in reviews]
    for run in runs:
        if run.repeated:
            click.echo(repeated(run.path, run.repeated, "review"), err=True)
    if as_json:
        summary = runs[0].to_dict()
        if len(runs) > 1:
            summary = mean_scores(runs) | {"runs": [run.to_dict() for run in runs]}
        render.print_json(summary)
    else:
        _print_runs(runs, mean_scores(runs))
    failed = sum(run.failed for run in runs)
    if failed:
        click.echo(
            f"{counted(failed, 'review has no scores and is', 'reviews have no scores and are')} "
            "left out",
            err=True,
        )
        raise click.exceptions.Exit(render.PARTIAL)


@judge.command(
    epilog="""\b
Examples:
  ig4 judge show
  ig4 judge show 1 --json
"""
)
@click.argument("number", type=int, required=False)
@opt.shared_options
def show(number: int | None, db: str | None, as_json: bool, quiet: bool) -> None:
    """List judgements, or show the verdicts of judgement NUMBER."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.errors import UsageError
    from ig4.storage import judgements

    with (
        open_session(db, configuration.load(), quiet=quiet) as session,
        session.store.reading() as connection,
    ):
        rows = judgements.list_all(connection, number)
        verdicts = judgements.verdicts(connection, number) if number is not None else []
    if number is None:
        _list(rows, as_json=as_json)
    elif not rows:
        raise UsageError(f"there is no judgement {number}: see `ig4 judge show`")
    elif as_json:
        render.print_json(_as_dict(rows[0]) | {"verdicts": [_verdict(row) for row in verdicts]})
    else:
        _show(rows[0], verdicts)


def _request(flags: dict[str, Any]) -> tuple[Config, JudgeRequest]:
    from ig4.core import config as configuration
    from ig4.core.engine.judging.plan import JudgeRequest

    name = flags["name"]
    tables: dict[str, Any] = {
        "run": {"seed": flags["seed"]},
        "calls": opt.call_settings(flags),
        **opt.settings_by_table(flags["options"], {"judges": (name,)}),
    }
    if flags["vision"]:
        tables.setdefault("judges", {}).setdefault(name, {})["vision"] = True
    config = configuration.load(flags["config_file"], tables)
    return config, JudgeRequest(
        judge=config.choice("judge", name),
        first=flags["first"],
        second=flags["second"],
        questions=flags["questions"],
        contexts=flags["contexts"],
        labels=_labels(flags["labels"]),
        image_root=flags["image_root"],
        seed=config.run.seed,
        call_settings=config.call_settings,
        renew=flags["retry_failed"],
    )


def _labels(text: str | None) -> tuple[str, str] | None:
    """Parse `--labels`.

    Raises:
        UsageError: there are not two labels.
    """
    from ig4.core.errors import UsageError

    if text is None:
        return None
    labels = opt.names(text) or []
    if len(labels) != 2:
        raise UsageError(f"--labels {text!r}: give two, as in --labels selected,all")
    return labels[0], labels[1]


def _print_estimate(estimate: JudgeEstimate, *, as_json: bool) -> None:
    if as_json:
        render.print_json(asdict(estimate))
        return
    click.echo(
        f"{counted(estimate.pairs, 'pair')}; {counted(estimate.verdicts, 'verdict')} by "
        f"{estimate.judge} to request"
    )
    if estimate.asking is not None:
        click.echo(render.calls_estimate(estimate.judge, estimate.asking))


def _draw(path: Path, summary: dict[str, Any], sides: tuple[str, str], *, overwrite: bool) -> None:
    """Write the stacked bars as SVG.

    Raises:
        DatasetError, UsageError: the file cannot be written, or is not ig4's.
    """
    from ig4.cli.terminal.stackedbars import svg
    from ig4.cli.terminal.verdicts import bars
    from ig4.core.files.writing.staging import staged_file

    with staged_file(path, overwrite=overwrite) as file:
        file.write_text(svg(bars(summary), " against ".join(sides)), encoding="utf-8")


def _print_result(result: JudgeResult, summary: dict[str, Any], plot: Path | None) -> None:
    from ig4.cli.terminal.verdicts import print_summary

    print_summary(result.first, result.second, summary)
    click.echo(
        f"judgement {result.id} by {result.judge}: {counted(result.new, 'new verdict')}", nl=False
    )
    click.echo(f"; {render.calls_summary(result.asked)}" if result.asked else "")
    if plot is not None:
        click.echo(f"drawn in {plot}")


def as_dict(result: JudgeResult) -> dict[str, Any]:
    """Return a judgement's result as a JSON-able dict."""
    record = {
        "judgement": result.id,
        "judge": result.judge,
        "first": result.first,
        "second": result.second,
        "pairs": result.pairs,
        "new": result.new,
        "open": result.open,
        **result.summary.to_dict(),
        "stopped": result.stopped,
    }
    if result.asked is not None:
        record |= {"calls": result.asked.calls, "cost": sum(result.asked.cost.values())}
    return record


def _print_runs(runs: list[ReviewRun], mean: dict[str, Any]) -> None:
    from ig4.cli.terminal.verdicts import relative

    names = list(mean["categories"])
    rows = []
    for run in runs:
        summary = run.to_dict()
        parts = [summary["overall"], *(summary["categories"].get(name) for name in names)]
        rows.append((str(run.path), run.overall.n, *(relative(p) if p else "" for p in parts)))
    if len(runs) > 1:
        means = [mean["overall"], *mean["categories"].values()]
        shown = ["" if p["relative"] is None else f"{p['relative']:.1f}" for p in means]
        rows.append(("mean", mean["overall"]["n"], *shown))
    render.print_table(("reviews", "n", "overall", *names), rows)


def _list(rows: list[JudgementRow], *, as_json: bool) -> None:
    if as_json:
        render.print_json([_as_dict(row) for row in rows])
        return
    table = []
    for row in rows:
        overall = (row.summary or {}).get("overall") or {}
        counts = tuple(overall.get(name) for name in ("win", "tie", "fail"))
        table.append(
            (row.id, row.name, row.first, row.second, row.pairs, row.status, *counts, row.failed)
        )
    render.print_table(
        ("judgement", "judge", "first", "second", "pairs", "status", "win", "tie", "fail",
         "failed verdicts"),
        table,
    )  # fmt: skip


def _show(row: JudgementRow, verdicts: list[VerdictRow]) -> None:
    from ig4.cli.terminal.verdicts import print_summary

    summary = row.summary if row.status in ("done", "partial") else _partial_summary(verdicts)
    click.echo(
        f"Judgement {row.id} by {render.plain(row.name)}: {row.verdicts:,} of "
        f"{counted(2 * row.pairs, 'verdict')}, {row.failed:,} failed; {row.status}"
    )
    if row.error:
        click.echo(f"error: {render.plain(row.error)}")
    if summary:
        print_summary(row.first, row.second, summary)
    failed = [one for one in verdicts if one[6] is not None]
    for pair, swapped, *_, error in failed[:_SHOWN]:
        order = "second" if swapped else "first"
        message = " ".join(render.plain(error).split())
        click.echo(f"pair {render.plain(pair)}, shown {order} answer first: {message}")
    if len(failed) > _SHOWN:
        click.echo(f"and {len(failed) - _SHOWN:,} more: --json prints all")


def _partial_summary(verdicts: list[VerdictRow]) -> dict[str, Any]:
    """Return the summary of the verdicts of an unfinished judgement."""
    from ig4.core.engine.judging.judge import summarise_verdicts

    return summarise_verdicts(verdicts)[0].to_dict()


def _verdict(row: VerdictRow) -> dict[str, Any]:
    names = ("pair", "swapped", "category", "first", "second", "explanation", "error")
    return dict(zip(names, row, strict=True)) | {"swapped": bool(row[1])}


def _as_dict(row: JudgementRow) -> dict[str, Any]:
    return {
        "judgement": row.id,
        "judge": row.name,
        "options": dict(row.options),
        "first": row.first,
        "second": row.second,
        "pairs": row.pairs,
        "status": row.status,
        "failed_verdicts": row.failed,
        **(row.summary or {}),
        "error": row.error,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at and row.finished_at.isoformat(),
    }
