"""`ig4 plot`: pictures of selections and results, as files or in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.charts.themes import THEMES
from ig4.core.errors import UsageError
from ig4.core.limits import CHART_HEIGHT, CHART_SCALE, CHART_WIDTH

if TYPE_CHECKING:
    from ig4.core.engine.plotting.kinds import PlotRequest

KINDS = (
    "scores", "correlations", "weights", "groups", "clusters", "funnel", "map", "compare",
    "judge", "training", "evaluations", "ablation", "costs",
)  # fmt: skip


@click.command(
    epilog="""\b
Examples:
  ig4 plot scores                          # in the terminal
  ig4 plot scores --scorer final --out final.svg
  ig4 plot correlations --out agree.png --scale 3
  ig4 plot groups --by form
  ig4 plot map --map pca --space clip --out map.html --theme dark
  ig4 plot compare 1 2 --out compare.pdf --theme print
  ig4 plot training 3 --json
"""
)
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("what", nargs=-1, metavar="[WHAT]...")
@click.option(
    "--out", type=opt.PATH, metavar="FILE", help="Write an .svg, .png, .pdf, .html or .json file."
)
@click.option("--selection", metavar="N|last|NAME", help="Selection to show.  [default: last]")
@click.option("--scorer", "scorers", metavar="A,B", help="Scores to show; final is F(x).")
@click.option("--by", metavar="NAME", help="Grouper of groups; model, scorer, run or day of costs.")
@click.option("--map", "method", metavar="NAME", help="How a map is laid out.  [default: pca]")
@click.option("--space", metavar="NAME", help="Vectors that a map is made of.")
@click.option("--column", metavar="NAME", help="Benchmark of an ablation.  [default: mean]")
@click.option(
    "--theme", type=click.Choice(THEMES), default="light", show_default=True, help="Colours."
)
@click.option(
    "--width",
    type=click.IntRange(*CHART_WIDTH),
    metavar="PIXELS",
    help="Width.  [default: 700; a page fits its window]",
)
@click.option(
    "--height",
    type=click.IntRange(*CHART_HEIGHT),
    metavar="PIXELS",
    help="Height of the file, or of each panel.  [default: as it needs]",
)
@click.option(
    "--scale",
    type=click.FloatRange(*CHART_SCALE),
    default=2.0,
    show_default=True,
    help="Pixels of a PNG for each pixel of the picture.",
)
@opt.overwrite
@opt.dataset
@opt.shared_options
def plot(
    kind: str,
    what: tuple[str, ...],
    out: Path | None,
    theme: Any,
    width: int | None,
    height: int | None,
    scale: float,
    overwrite: bool | None,
    dataset: str | None,
    db: str | None,
    as_json: bool,
    quiet: bool,
    **asked: Any,
) -> None:
    """Draw a picture of a selection or a result, as a file or in the terminal.

    KIND is scores, correlations, weights, groups, clusters, funnel or map (of a selection), compare
    (of two), judge, training, evaluations, ablation or costs. WHAT is a selection, two for compare,
    or the number of a judgement, training, evaluation or ablation; the newest by default.
    """
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.charts.rendering import check_chart_file
    from ig4.core.engine.plotting.drawing import plot_dict, write_plot
    from ig4.core.engine.plotting.plot import read_plot

    request = _request(kind, what, asked)
    if out is not None:
        check_chart_file(out, overwrite=bool(overwrite))
    with open_session(db, configuration.load(), quiet=quiet) as session:
        found = read_plot(session, request, dataset)
    if out is not None:
        write_plot(
            found, out, width=width, height=height, theme=theme, scale=scale,
            overwrite=bool(overwrite),
        )  # fmt: skip
    if as_json:
        render.print_json(plot_dict(found) | ({} if out is None else {"path": str(out)}))
    elif out is not None:
        click.echo(str(out))
    else:
        _print_picture(found)


def _print_picture(found: Any) -> None:
    from ig4.cli.terminal.blocks import pen_for
    from ig4.cli.terminal.plots import picture

    for line in picture(found, pen_for(sys.stdout)):
        click.echo(line, color=True)  # what has colours, the pen decided


def _request(kind: str, what: tuple[str, ...], asked: dict[str, Any]) -> PlotRequest:
    """Return what is asked for.

    Raises:
        UsageError: an option does not belong to the kind, or WHAT does not.
    """
    from ig4.core.engine.plotting.kinds import (
        OF_SELECTION,
        TARGETS,
        PlotRequest,
        check_plot_request,
    )

    fields: dict[str, Any] = {
        "scorers": None if asked["scorers"] is None else tuple(opt.names(asked["scorers"]) or ()),
        **{name: asked[name] for name in ("method", "by", "space", "column")},
    }
    check_plot_request(PlotRequest(kind, **fields))  # type: ignore[arg-type]  # as below
    selection = asked["selection"]
    if kind in TARGETS:
        if selection is not None:
            raise UsageError(f"--selection is not for {kind}: name a {TARGETS[kind]} by its number")
        fields["number"] = _number(TARGETS[kind], what)
    elif kind == "costs":
        if what or selection is not None:
            raise UsageError("costs are of the whole database: name no selection")
    else:
        named = [*([] if selection is None else [selection]), *what]
        wanted = 2 if kind == "compare" else 1
        if len(named) > wanted or (kind == "compare" and len(named) < 2):
            raise UsageError(
                f"compare needs two selections: `ig4 plot compare 1 2` (given: {len(named)})"
                if kind == "compare"
                else f"{kind} shows one selection, and {len(named)} are named"
            )
        if named:
            fields["selection"] = named[0]
        if wanted == 2:
            fields["other"] = named[1]
        assert kind in OF_SELECTION or kind == "compare"
    return PlotRequest(kind, **fields)  # type: ignore[arg-type]  # click has checked the kind


def _number(noun: str, what: tuple[str, ...]) -> int | None:
    if not what:
        return None
    if len(what) > 1 or not what[0].isdecimal() or len(what[0]) > 18:
        raise UsageError(f"{' '.join(what)!r} is not the number of a {noun}: give one, as in 3")
    return int(what[0])
