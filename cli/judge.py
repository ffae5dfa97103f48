"""`ig4 judge`: compare two files of answers; sum up reviews; show earlier judgements."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli import render

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.judging.judge import JudgeEstimate, JudgeResult
    from ig4.core.engine.judging.plan import JudgeRequest
    from ig4.core.files.relativescores import ReviewRun
    from ig4.storage.judgements import JudgementRow, VerdictRow

_DEFAULT = "compare"
_SHOWN = 10  # errors


class JudgeGroup(click.Group):
    """Two files without a verb are to be compared."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default verb before what is none."""
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
Answer files have one JSON object a line with the id of a question and the answer: what
`ig4 generate` writes, LLaVA's (question_id, text), or any with id and answer.
"""
)
@click.argument("first", type=opt.PATH, metavar="A.jsonl")
@click.argument("second", type=opt.PATH, metavar="B.jsonl")
@click.option("--questions", type=opt.PATH, required=True, help="The questions both answered.")
@click.option("--contexts", type=opt.PATH, help="Descriptions of the images: image and caption.")
@click.option("--judge", "name", default="gpt", show_default=True, metavar="NAME", help="Judge.")
@click.option("--vision", is_flag=True, help="Show the judge the images, not the descriptions.")
@click.option(
    "--labels", metavar="A,B", help="What to call both sides.  [default: models or files]"
)
@click.option("--image-root", type=opt.PATH, help="Folder that images may be read from, too.")
@click.option("--retry-failed", is_flag=True, help="Take up the verdicts that failed before.")
@click.option("--dry-run", is_flag=True, help="Tell requests, tokens and money; asks nobody.")
@click.option("--plot", type=opt.PATH, metavar="SVG", help="Draw win, tie and fail, too.")
@opt.call_options
@opt.seed
@opt.component_options
@opt.config
@opt.shared_options
def compare(
    db: str | None, as_json: bool, quiet: bool, dry_run: bool, plot: Path | None, **flags: Any
) -> None:
    """Compare the answers of A.jsonl and B.jsonl: win, tie or fail of A.

    Every verdict is kept the moment it arrives: killed or stopped at a limit, the same command
    goes on, and nothing is paid twice.
    """
    from ig4.cli.session import open_session
    from ig4.core.engine.judging import judge as judging

    config, request = _request(flags)
    with open_session(db, config, create=True, quiet=quiet) as session:
        if dry_run:
            _tell(judging.estimate(session, request), as_json=as_json)
            return
        done = judging.judge(session, request)
    told = done.summary.to_dict()
    if plot is not None:
        _draw(plot, told, done.first, done.second)
    if as_json:
        render.print_json(as_dict(done))
    else:
        _print(done, told, plot)
    if done.summary.failed:
        click.echo(
            f"{done.summary.failed:,} of {done.pairs:,} pairs have no verdict: see `ig4 judge show "
            f"{done.id}`, try again with --retry-failed",
            err=True,
        )
    if done.stopped:
        click.echo(f"Stopped: {done.stopped}. The same command goes on from here.", err=True)
    if done.summary.failed or done.open:
        raise click.exceptions.Exit(render.PARTIAL)


@judge.command()
@click.argument("reviews", type=opt.PATH, nargs=-1, required=True)
@click.option(
    "--reader",
    type=click.Choice(["robust", "llava"]),
    help="Read scores from the texts: robustly, or as strictly as LLaVA's own script.",
)
@opt.seed
@opt.as_json
def summarize(
    reviews: tuple[Path, ...], reader: str | None, seed: int | None, as_json: bool
) -> None:
    """Sum up reviews made elsewhere: the relative score, overall and by category.

    A review has two scores ("tuple") or a text that begins with them ("content"), and a category,
    as LLaVA-Bench's. The relative score is the second's in percent of the first's. Several files
    are several runs: each is summed up, then their mean.
    """
    from ig4.core.files.relativescores import mean_scores, summarise_file

    chosen = 42 if seed is None else seed
    runs = [summarise_file(path, reader, seed=chosen) for path in reviews]
    if as_json:
        told = runs[0].to_dict()
        if len(runs) > 1:
            told = mean_scores(runs) | {"runs": [run.to_dict() for run in runs]}
        render.print_json(told)
    else:
        _print_runs(runs, mean_scores(runs))
    failed = sum(run.failed for run in runs)
    if failed:
        click.echo(f"{failed:,} reviews hold no scores and are left out", err=True)
        raise click.exceptions.Exit(render.PARTIAL)


@judge.command()
@click.argument("number", type=int, required=False)
@opt.shared_options
def show(number: int | None, db: str | None, as_json: bool, quiet: bool) -> None:
    """List judgements, or show what judgement NUMBER came to."""
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
    """Read `--labels`.

    Raises:
        UsageError: they are not two.
    """
    from ig4.core.errors import UsageError

    if text is None:
        return None
    labels = opt.names(text) or []
    if len(labels) != 2:
        raise UsageError(f"--labels {text!r}: name two, as in --labels selected,all")
    return labels[0], labels[1]


def _tell(told: JudgeEstimate, *, as_json: bool) -> None:
    if as_json:
        render.print_json(asdict(told))
        return
    click.echo(f"{told.pairs:,} pairs; {told.judge} has {told.verdicts:,} verdicts to give")
    if told.asking is not None:
        click.echo(render.calls_estimate(told.judge, told.asking))


def _draw(path: Path, told: dict[str, Any], first: str, second: str) -> None:
    """Write the stacked bars as SVG.

    Raises:
        DatasetError: the file cannot be written.
    """
    from ig4.cli.stackedbars import svg
    from ig4.cli.verdicts import bars
    from ig4.core.errors import DatasetError

    try:
        path.write_text(svg(bars(told), f"{first} against {second}"), encoding="utf-8")
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}") from None


def _print(done: JudgeResult, told: dict[str, Any], plot: Path | None) -> None:
    from ig4.cli.verdicts import print_summary

    print_summary(done.first, done.second, told)
    click.echo(f"judgement {done.id} by {done.judge}: {done.new:,} new verdicts", nl=False)
    click.echo(f"; {render.calls_spent(done.asked)}" if done.asked else "")
    if plot is not None:
        click.echo(f"drawn in {plot}")


def as_dict(done: JudgeResult) -> dict[str, Any]:
    """Return what a judgement came to, JSON-able."""
    told = {
        "judgement": done.id,
        "judge": done.judge,
        "first": done.first,
        "second": done.second,
        "pairs": done.pairs,
        "new": done.new,
        "open": done.open,
        **done.summary.to_dict(),
        "stopped": done.stopped,
    }
    if done.asked is not None:
        told |= {"calls": done.asked.calls, "cost": sum(done.asked.cost.values())}
    return told


def _print_runs(runs: list[ReviewRun], mean: dict[str, Any]) -> None:
    from ig4.cli.verdicts import relative

    names = list(mean["categories"])
    rows = []
    for run in runs:
        told = run.to_dict()
        parts = [told["overall"], *(told["categories"].get(name) for name in names)]
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
    shown = []
    for row in rows:
        overall = (row.summary or {}).get("overall") or {}
        counts = tuple(overall.get(name) for name in ("win", "tie", "fail"))
        shown.append(
            (row.id, row.name, row.first, row.second, row.pairs, row.status, *counts, row.failed)
        )
    render.print_table(
        ("judgement", "judge", "first", "second", "pairs", "status", "win", "tie", "fail",
         "failed verdicts"),
        shown,
    )  # fmt: skip


def _show(row: JudgementRow, verdicts: list[VerdictRow]) -> None:
    from ig4.cli.verdicts import print_summary

    summary = row.summary if row.status in ("done", "partial") else _so_far(verdicts)
    click.echo(
        f"Judgement {row.id} by {render.plain(row.name)}: {row.verdicts:,} of {2 * row.pairs:,} "
        f"verdicts, {row.failed:,} failed; {row.status}"
    )
    if row.error:
        click.echo(f"error: {render.plain(row.error)}")
    if summary:
        print_summary(row.first, row.second, summary)
    failed = [one for one in verdicts if one[6] is not None]
    for pair, swapped, *_, error in failed[:_SHOWN]:
        order = "second" if swapped else "first"
        told = " ".join(render.plain(error).split())
        click.echo(f"pair {render.plain(pair)}, shown {order} answer first: {told}")
    if len(failed) > _SHOWN:
        click.echo(f"and {len(failed) - _SHOWN:,} more: --json has all")


def _so_far(verdicts: list[VerdictRow]) -> dict[str, Any]:
    """Return what the verdicts of a judgement that was cut short come to."""
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
