"""`ig4 select`: choose the samples worth training on, from the scores that are there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.terminal import render
from ig4.cli.terminal.mix import print_mix
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.engine.selecting.candidates import SelectionRequest
    from ig4.core.engine.selecting.result import SelectionResult

SHOWN = 10

_SELECTING = (
    "size", "fraction", "scorers", "weights", "scale", "within", "combine", "recipe", "selector",
    "clusters", "missing", "seed", "options", "keep", "drop", "keep_sql", "drop_sql", "pins",
)  # fmt: skip
"""The flags that say what to select: with any of them, another selection than the last is meant."""


@click.command(
    epilog="""\b
Examples:
  ig4 select --size 200
  ig4 select --fraction 0.06 --weights clip=0.53,length=0.1 --scale percentile
  ig4 select --size 200 --selector topk --json
  ig4 select --size 200 --recipe balanced --name best
  ig4 select --size 200 --selector facility-location -o facility-location.space=text
  ig4 select --size 200 --keep good.txt --drop bad.txt
  ig4 select --size 200 --drop-sql "SELECT external_id FROM scores_wide WHERE clip < 20"
  ig4 select --explain 1234                # in the last selection
  ig4 select --size 200 --explain 1234     # in one that is not stored
"""
)
@click.option("--size", type=int, help="Number of samples to select.")
@click.option("--fraction", type=float, help="Share of samples to select.  [default: 0.06]")
@click.option("--scorers", metavar="NAMES", help="Scorers to use.  [default: all with scores]")
@click.option("--weights", metavar="W", help="Weights, as in clip=0.53,length=0.1.")
@opt.scaling
@opt.recipe
@click.option("--selector", metavar="NAME", help="Selector.  [default: quota]")
@click.option(
    "--clusters",
    "--clusterer",
    "clusters",
    metavar="NAME",
    help="Clustering to use, or none.  [default: the newest]",
)
@click.option(
    "--missing",
    type=click.Choice(["skip", "error"]),
    help="Skip samples without a score, or stop.  [default: skip]",
)
@click.option(
    "--name", metavar="NAME", help="Name for the selection, by which other commands know it."
)
@click.option("--note", metavar="TEXT", help="With --name: what to remember of it.")
@click.option(
    "--explain",
    metavar="ID",
    help="Explain why the last selection has a sample or not; with other options, what they do.",
)
@opt.pinning
@opt.seed
@opt.component_options
@opt.dataset
@opt.config
@opt.shared_options
def select(explain: str | None, db: str | None, as_json: bool, quiet: bool, **flags: Any) -> None:
    """Select the samples worth training on."""
    from ig4.cli.session import open_session
    from ig4.cli.terminal.explanation import print_explanation
    from ig4.core.engine.selecting.explain import explain as explain_sample
    from ig4.core.engine.selecting.explain import explain_last
    from ig4.core.engine.selecting.select import select as choose

    config, request = _request(flags)
    with open_session(db, config, quiet=quiet) as session:
        chosen = session.dataset(flags["dataset"] or config.dataset.name)
        if explain is not None:
            _refuse_name(flags)
            given = any(flags[name] not in (None, ()) for name in _SELECTING)
            told_by = explain_sample if given else explain_last
            explanation = told_by(session, chosen, request, explain)
            if as_json:
                render.print_json(explanation.to_dict())
            else:
                print_explanation(explanation)
            return
        result = choose(session, chosen, request, name=flags["name"], note=flags["note"])
    if as_json:
        render.print_json(result.to_dict())
    else:
        _show(result)


def _refuse_name(flags: Mapping[str, Any]) -> None:
    for name in ("name", "note"):
        if flags[name] is not None:
            raise UsageError(
                f"--{name} is for a selection that is stored, and --explain stores none"
            )


def _request(flags: dict[str, Any]) -> tuple[Any, SelectionRequest]:
    from ig4.core import config as configuration
    from ig4.core.engine.requests import selection_request
    from ig4.core.engine.selecting.weights import parse_weights

    weights = flags["weights"]
    tables: dict[str, Any] = {
        "run": {"seed": flags["seed"]},
        "select": {
            "selector": flags["selector"],
            "size": flags["size"],
            "fraction": flags["fraction"],
            **opt.scaling_settings(flags),
            "missing": flags["missing"],
            "weights": parse_weights(weights) if weights else None,
            **opt.pinning_settings(flags),
        },
    }
    recipe = flags["recipe"]
    if recipe and "," in recipe:
        raise UsageError("ig4 select takes one recipe; `ig4 run --recipe a,b` runs several")
    first = configuration.load(flags["config_file"], tables, recipe=recipe)
    stages = [stage.selector for stage in first.select.stages if stage.selector]
    kinds = {
        "selectors": (first.select.selector, *stages),
        "groupers": opt.groupers_in_use(first, flags["options"]),
        "embedders": (*first.run.spaces, first.run.embedder, *first.embedders),
        "indexes": (first.run.index,),
    }
    tables |= opt.settings_by_table(flags["options"], kinds)
    config = configuration.load(flags["config_file"], tables, recipe=recipe)
    own_scorers = recipe and not flags["scorers"]
    request = selection_request(
        config,
        scorers=opt.names(flags["scorers"]),
        clustering=flags["clusters"],
        recipe=recipe,
        requires=tuple(config.select.weights) if own_scorers else (),
        uses=config.run.scorers if own_scorers else (),
    )
    return config, request


def _show(result: SelectionResult) -> None:
    weights = ", ".join(f"{name} {w:g}" for name, w in result.config["weights"].items())
    how = f"{weights}; {result.config['scale']} scale" if weights else "without scores"
    called = "" if result.name is None else f" ({render.plain(result.name)})"
    render.say(
        f"Selection {result.id}{called}: {len(result):,} of {result.config['candidates']:,} "
        f"samples of {result.dataset} ({how})"
    )
    rows = [(c.rank, c.external_id, c.cluster, c.final_score) for c in result.chosen[:SHOWN]]
    render.print_table(("rank", "id", "cluster", "final score"), rows)
    if len(result) > SHOWN:
        click.echo(
            f"… and {len(result) - SHOWN:,} more: --json prints all, `ig4 export` writes them"
        )
    if result.same_as is not None:
        named = "" if called == "" else "; the name is that of the newest"
        render.say(
            f"\nIt is the same as selection {result.same_as}, stored again so that `last` is what "
            f"was selected last{named}."
        )
    print_mix(result.report)


def mix_facts(result: SelectionResult) -> dict[str, str]:
    """Return the mix of a selection in a line, for the summary of a run."""
    mix = result.report.get("composition")
    if not mix or len(mix["groups"]) < 2:
        return {}
    moved = sorted(mix["groups"], key=lambda one: one["pool"], reverse=True)[:3]
    shares = ", ".join(
        f"{one['name']} {one['pool_share']:.0%} -> {one['selected_share']:.0%}" for one in moved
    )
    return {"mix": f"{len(mix['groups'])} groups by {mix['by']}, {mix['tv']:.1%} apart ({shares})"}
