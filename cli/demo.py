"""`ig4 demo`: all steps of ig4, offline, on a data set whose bad samples are known."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.core.limits import SEED

if TYPE_CHECKING:
    from ig4.core.engine.run import RunResult
    from ig4.core.engine.selecting.result import SelectionResult
    from ig4.plugins.demo.dataset import DemoSet


SELECTORS = ("random", "quota", "balanced")
"""What the demo compares; `quota` is the paper's."""

NAMES = {"random": "random", "quota": "paper", "balanced": "balanced"}


@click.command(
    epilog="""\b
Examples:
  ig4 demo
  ig4 demo --samples 1000 --seed 3 --folder /tmp/demo
"""
)
@click.option("--folder", type=opt.PATH, default=Path("ig4-demo"), show_default=True,
              help="Folder to write to.")  # fmt: skip
@click.option("--samples", type=click.IntRange(40), default=360, show_default=True,
              help="Number of samples to generate.")  # fmt: skip
@click.option(
    "--fraction", type=float, default=0.25, show_default=True, help="Share of samples to select."
)
@click.option(
    "--seed",
    type=click.IntRange(*SEED),
    default=7,
    show_default=True,
    help="Seed for everything random.",
)
@opt.overwrite
@opt.as_json
@opt.log_options
def demo(
    folder: Path,
    samples: int,
    fraction: float,
    seed: int,
    overwrite: bool | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Try ig4 offline on a data set that it generates.

    Generates scenes with instructions and answers, spoils a known share of the answers (swapped,
    truncated, vague, repeated), then scores, clusters, selects and exports as `ig4 run` does,
    with a tiny CLIP model that is part of ig4: at random, as the paper does, and by the recipe
    `balanced`. No scorer knows which samples are spoilt; at the end, the demo counts how many of
    them were selected, and how many questions of each kind.
    """
    from ig4.core.files.writing.staging import staged
    from ig4.plugins.demo.dataset import write

    start = time.monotonic()
    with staged(folder / "data", overwrite=bool(overwrite)) as staging:
        staging.path.mkdir(exist_ok=True)
        demo_set = write(staging.path, samples, seed)
    demo_set = replace(demo_set, path=folder / "data" / demo_set.path.name)
    runs = {
        selector: _select(
            folder, demo_set, selector, fraction, seed, overwrite=bool(overwrite), quiet=quiet
        )
        for selector in SELECTORS
    }
    selections = {name: run.selection for name, run in runs.items() if run.selection}
    page = runs["balanced"].report
    facts = _facts(folder, demo_set, selections, page) | {
        "seconds": round(time.monotonic() - start, 1)
    }
    if as_json:
        render.print_json(facts)
    else:
        _print_facts(facts)


def _select(
    folder: Path,
    demo_set: DemoSet,
    selector: str,
    fraction: float,
    seed: int,
    *,
    overwrite: bool,
    quiet: bool,
) -> RunResult:
    """Do what `ig4 run` does; the second call reuses the scores of the first."""
    from ig4.cli.session import open_session
    from ig4.core import config as configuration
    from ig4.core.config import recipe_values
    from ig4.core.engine.plan import make_run_plan
    from ig4.core.engine.run import run

    recipe = recipe_values(selector) if selector == "balanced" else {}
    config = configuration.build(
        {
            "dataset": {"path": demo_set.path, "name": "demo"},
            "run": {
                "scorers": ["clip", "length"],
                **recipe.get("run", {}),
                "seed": seed,
                "report": selector == "balanced",
            },
            "scorers": {"clip": {"model": "ig4-tiny"}},
            "embedders": recipe.get("embedders", {}),
            "cluster": {"clusterer": "spectral", "k": 8},
            "select": {"selector": selector, "fraction": fraction},
            "export": {
                "path": folder / f"selected-{selector}" / "llava.json",
                "overwrite": overwrite,
            },
        }
    )
    with open_session(str(folder / "ig4.db"), create=True, quiet=quiet) as session:
        result = run(session, make_run_plan(session, config))
    assert result.selection is not None
    return result


def _facts(
    folder: Path,
    demo_set: DemoSet,
    selections: dict[str, SelectionResult],
    page: Path | None,
) -> dict[str, Any]:
    from ig4.plugins.demo.dataset import SPOILT

    kept = {
        selector: {
            kind: sum(demo_set.key[name] == kind for name in selection.ids) for kind in SPOILT
        }
        for selector, selection in selections.items()
    }
    return {
        "samples": len(demo_set.key),
        "spoilt": demo_set.spoilt,
        "selected": len(selections["quota"]),
        "kept": kept,
        "mix": {name: _mix(selection) for name, selection in selections.items()},
        "database": str(folder / "ig4.db"),
        "selection": str(folder / "selected-balanced" / "llava.json"),
        "page": page and str(page),
    }


def _mix(selection: SelectionResult) -> dict[str, Any]:
    """Return how many samples of each kind of question were selected, and how far off that is."""
    mix = selection.report["composition"]
    return {
        "total_variation": mix["tv"],
        "pool": {one["name"]: one["pool_share"] for one in mix["groups"]},
        "selected": {one["name"]: one["selected_share"] for one in mix["groups"]},
    }


def _print_facts(facts: dict[str, Any]) -> None:
    kept, size, mix = facts["kept"], facts["selected"], facts["mix"]
    click.echo(
        f"{facts['samples']} samples generated, {facts['spoilt']} of them spoilt on purpose; "
        f"{size} selected. Spoilt samples in the selection:"
    )
    rows = [(kind, *(kept[name][kind] for name in SELECTORS)) for kind in kept["quota"]]
    totals = {selector: sum(counts.values()) for selector, counts in kept.items()}
    rows.append(("all", *(totals[name] for name in SELECTORS)))
    rows.append(("share", *(f"{totals[name] / size:.0%}" for name in SELECTORS)))
    render.print_table(("spoilt", *NAMES.values()), rows)
    click.echo("Kinds of samples, by their share:")
    shares = [
        (kind, f"{share:.0%}", *(f"{mix[name]['selected'][kind]:.0%}" for name in SELECTORS))
        for kind, share in mix["quota"]["pool"].items()
    ]
    render.print_table(("kind", "all", *NAMES.values()), shares)
    click.echo(
        "The paper's recipe ranks by scores, and so takes the kind of sample that scores high; a "
        "repeated answer is longer than the others, which counts for it. `balanced` compares a "
        f"sample with its own kind, and drops repetitions. It took {facts['seconds']} s."
    )
    database = facts["database"]
    click.echo(f"Selected samples: {facts['selection']}")
    if facts["page"]:
        click.echo(f"Look at them, and at what was not selected, in a browser: {facts['page']}")
    click.echo(
        f'Try: {render.program()} query --db {database} "SELECT external_id, clip, length, answer '
        'FROM scores_wide ORDER BY clip LIMIT 5"'
    )
