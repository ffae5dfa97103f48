"""`ig4 run`: all steps from a data set to the samples worth training on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ig4.cli import options as opt
from ig4.cli.estimating import (
    check_estimate_options,
    estimate_options,
    estimated,
    print_score_estimate,
)
from ig4.cli.export import as_dict as export_as_dict
from ig4.cli.export import images_text, left_out_text
from ig4.cli.select import mix_facts
from ig4.cli.terminal import render
from ig4.cli.terminal.checkups import verdicts_text
from ig4.core.counts import counted
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.run import RecipeResult, RunResult
    from ig4.core.engine.runplan import RunPlan
    from ig4.core.engine.scoring.estimate import ScoreEstimate
    from ig4.core.engine.selecting.result import SelectionResult
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice

EPILOG = """\b
Examples:
  ig4 run data/cc_sbu_align --scorers clip,length --size 200
  ig4 run llava.json --scorers clip -o clip.model=ViT-L-14 --fraction 0.06 --out best.json
  ig4 run captions.csv --columns image=file,answer=caption --scorers length
  ig4 run                      # the data set of ig4.toml or ig4.db
  ig4 run --dataset llava,captions --size 500    # ingested before; pooled
  ig4 run --retry-failed       # computes failed samples again
  ig4 run --dry-run            # shows work, time, disk and cost, computes nothing
  ig4 run llava.json --dry-run --devices 8      # a data set that was never read, on 8 GPUs
  ig4 run --scorers clip,gpt -o gpt.model=gpt-4o-mini --max-cost 5.00
  ig4 run llava.json --recipe balanced --size 200
  ig4 run llava.json --recipe deita,balanced,paper   # one selection each
"""


@click.command(epilog=EPILOG)
@click.argument("dataset", required=False, type=opt.place)
@click.option("--scorers", metavar="NAMES", help="Scorers, as in clip,length.")
@click.option(
    "--spaces", metavar="NAMES", help="Spaces whose vectors to compute too, as in clip,text."
)
@click.option("--size", type=int, help="Number of samples to select.")
@click.option("--fraction", type=float, help="Share of samples to select.  [default: 0.06]")
@click.option("--weights", metavar="W", help="Weights, as in clip=0.53,length=0.1.")
@opt.scaling
@click.option("--clusterer", metavar="NAME", help="Clusterer, or none.  [default: spectral]")
@click.option("--space", metavar="NAME", help="Space to cluster in.  [default: the embedder's]")
@click.option("--k", type=int, help="Number of clusters.  [default: 10]")
@click.option("--selector", metavar="NAME", help="Selector.  [default: quota]")
@click.option("--executor", metavar="NAME", help="Executor that runs batches.  [default: local]")
@click.option(
    "--missing", type=click.Choice(["skip", "error"]), help="Skip samples without a score, or stop."
)
@opt.seed
@click.option(
    "--dataset",
    "stored",
    metavar="NAME",
    help="Data set that was ingested before. NAME,NAME pools some.",
)
@click.option("--name", help="Name of the data set in the database.")
@click.option("--format", "format_", metavar="NAME", help="Format of the data set.")
@opt.columns
@click.option("--encoding", help="Encoding of the files, as in gb18030.")
@click.option("--instruction", help="Instruction for records without one.")
@click.option(
    "--image-root",
    type=opt.place,
    metavar="PATH|URL",
    help="Additional folder, or address, to read images from.",
)
@opt.fetch_images
@click.option(
    "--duplicate-ids", type=click.Choice(["number", "error"]), help="Number repeated ids, or stop."
)
@click.option("--out", type=opt.PATH, help="File to write the selection to.")
@click.option(
    "--out-format", metavar="NAME", help="Format to write.  [default: that of the data set]"
)
@click.option(
    "--images",
    type=click.Choice(["link", "copy", "none"]),
    help="Link to images, copy them, or neither.",
)
@opt.overwrite
@click.option(
    "--report/--no-report", "page", default=None,
    help="Write a page about the selection beside it.  [default: yes]",
)  # fmt: skip
@opt.recipe
@click.option("--retry-failed", is_flag=True, help="Compute failed samples again.")
@click.option(
    "--recompute", multiple=True, metavar="NAME", help="Replace imported scores by computed ones."
)
@opt.no_check
@click.option(
    "--dry-run",
    is_flag=True,
    help="Look through the data set, show the plan, what is missing, time, disk and cost; stop.",
)
@estimate_options
@opt.scoring_options
@opt.component_options
@opt.config
@opt.shared_options
def run(
    db: str | None,
    as_json: bool,
    quiet: bool,
    retry_failed: bool,
    recompute: tuple[str, ...],
    dry_run: bool,
    devices: int | None,
    measure: int | None,
    **flags: Any,
) -> None:
    """Ingest, score, cluster, select and export in one go.

    Results in the database are not computed again: a stopped run continues, and a run with
    nothing to do ends at once. DATASET is a file or folder in any known format.
    """
    from ig4.cli.session import open_planning_session, open_session
    from ig4.core.engine.plan import make_run_plan
    from ig4.core.engine.run import run as run_plan
    from ig4.core.engine.runplan import errors_of, join_plans

    check_estimate_options(dry_run=dry_run, devices=devices, measure=measure)
    recipes: list[str | None] = [*dict.fromkeys(opt.names(flags["recipe"]) or ())] or [None]
    configs = configured(flags, recipes)
    planned = dry_run and measure is None
    opened = (
        open_planning_session(db, configs[0], create=True, quiet=quiet)
        if planned
        else open_session(db, configs[0], create=True, quiet=quiet)
    )
    with opened as session:
        plans = []
        for config, recipe in zip(configs, recipes, strict=True):
            name = recipe if len(recipes) > 1 else None
            with session.notices_of(name), errors_of(name):
                plans.append(
                    make_run_plan(
                        session,
                        config,
                        retry_failed=retry_failed,
                        recompute=recompute,
                        recipe=recipe,
                    )
                )
        plan = join_plans(plans)
        if dry_run:
            found = _estimated_plan(session, plan, devices=devices, measure=measure)
            _print_plan(plan, found, as_json=as_json)
            return
        result = run_plan(session, plan)
    if as_json:
        render.print_json(as_dict(result))
    else:
        summarise(result)
    if result.failed or result.scored.stopped:
        failures = {**result.scored.failed, **result.scored.spaces}
        render.print_failures(failures, retry="ig4 run --retry-failed")
        render.print_stopped(result.scored, "ig4 run")
        raise click.exceptions.Exit(render.PARTIAL)


def configured(flags: dict[str, Any], recipes: Sequence[str | None]) -> list[Config]:
    """Return ig4.toml with the flags of `ig4 run` over it, and each of the recipes under it."""
    from ig4.core import config as configuration
    from ig4.core.engine.pooling.spacenames import all_parts
    from ig4.core.engine.selecting.weights import parse_weights

    weights, spaces = flags["weights"], flags["spaces"]
    stored = flags["stored"]
    if stored and (flags["dataset"] or flags["name"]):
        raise UsageError(
            "--dataset names what was ingested before: give it, or a path (with --name), not both"
        )
    tables: dict[str, Any] = {
        "dataset": {
            "path": flags["dataset"],
            "name": stored or flags["name"],
            "format": flags["format_"],
            "encoding": flags["encoding"],
            "instruction": flags["instruction"],
            "image_root": flags["image_root"],
            "fetch_images": flags["fetch_images"],
            "duplicate_ids": flags["duplicate_ids"],
            "options": opt.column_options(flags["columns"]),
        },
        "run": {
            "scorers": opt.names(flags["scorers"]),
            "spaces": None if spaces is None else list(all_parts([spaces])),
            "executor": flags["executor"],
            "check": False if flags["no_check"] else None,
            "report": flags["page"],
            "seed": flags["seed"],
        },
        "cluster": {"clusterer": flags["clusterer"], "k": flags["k"], "space": flags["space"]},
        "select": {
            "selector": flags["selector"],
            "size": flags["size"],
            "fraction": flags["fraction"],
            **opt.scaling_settings(flags),
            "missing": flags["missing"],
            "weights": parse_weights(weights) if weights else None,
        },
        "calls": opt.call_settings(flags),
        "export": {
            "path": flags["out"],
            "format": flags["out_format"],
            "images": flags["images"],
            "overwrite": flags["overwrite"],
        },
    }
    file = flags["config_file"]
    first = [configuration.load(file, tables, recipe=recipe) for recipe in recipes]
    in_use: dict[str, list[str]] = {}
    for config in first:
        for table, names in _in_use(config, flags["options"]).items():
            in_use.setdefault(table, []).extend(names)
    tables |= opt.settings_by_table(flags["options"], in_use)
    opt.set_prompt(tables, first[0], flags["prompt"])
    configs = [configuration.load(file, tables, recipe=recipe) for recipe in recipes]
    return [_of_stored(config) for config in configs] if stored else configs


def _of_stored(config: Config) -> Config:
    """Return a configuration for a data set that the database holds already."""
    return config.model_copy(update={"dataset": config.dataset.model_copy(update={"path": None})})


def _in_use(config: Config, options: Sequence[str]) -> dict[str, Any]:
    from ig4.core.engine.pooling.spacenames import all_parts

    own = (config.run.embedder,) if config.cluster.space is None else (config.cluster.space,)
    embedders = dict.fromkeys((*all_parts((*config.run.spaces, *own)), *config.embedders))
    stages = [stage.selector for stage in config.select.stages if stage.selector]
    return {
        "scorers": config.run.scorers,
        "clusterers": (config.cluster.clusterer,),
        "selectors": (config.select.selector, *stages),
        "executors": (config.run.executor,),
        "groupers": opt.groupers_in_use(config, options),
        "indexes": (config.run.index,),
        # The embedder takes the options of the scorer of its name; see `embedder_choice`.
        "embedders": [name for name in embedders if name not in config.run.scorers],
    }


def _estimated_plan(
    session: Session, plan: RunPlan, *, devices: int | None, measure: int | None
) -> ScoreEstimate:
    """Return what a run would take; a data set that is not stored as it is is looked through."""
    from ig4.core.engine.estimating.survey import stored
    from ig4.core.engine.exporting.export import check_export
    from ig4.core.engine.runplan import errors_of

    known = stored(session, plan.source) if plan.source else session.dataset(plan.dataset)
    for one in (plan, *plan.others):
        with errors_of(one.selection.name if plan.others else None):
            if known is not None:
                check_export(session, known, one.target)
    what = known or plan.source
    assert what is not None
    return estimated(session, what, plan.scoring, devices=devices, measure=measure)


def _print_plan(plan: RunPlan, found: ScoreEstimate, *, as_json: bool) -> None:
    """Print what a run would do, and what it would take."""
    if as_json:
        render.print_json({**found.to_dict(), "plan": plan.to_dict()})
        return
    render.print_facts(_plan_facts(plan))
    print_score_estimate(found)


def _plan_facts(plan: RunPlan) -> dict[str, str]:
    from ig4.core.engine.selecting.candidates import NO_CLUSTERS

    selection, clustering = plan.selection, plan.clustering
    if selection.size:
        size = counted(selection.size, "sample")
    else:
        size = f"{selection.fraction:.3g} of all"
    weights = ", ".join(f"{name} {weight:g}" for name, weight in selection.weights.items())
    clusters = "none"
    if clustering is not None:
        space = clustering.space or clustering.embedder.label
        clusters = f"{clustering.k} by {clustering.clusterer.label} of {space}"
    elif selection.clustering not in (None, NO_CLUSTERS):
        clusters = f"{selection.clustering} (imported)"
    return {
        "data set": f"{plan.dataset} ({plan.source.path if plan.source else 'in the database'})",
        "scorers": ", ".join(map(_choice_text, plan.scoring.scorers)),
        "clusters": clusters,
        "selection": ", then ".join(
            [f"{size} by {selection.selector.label}, {selection.scale} scale, seed {plan.seed}"]
            + [f"as much by {one.selection.selector.label}" for one in plan.others]
        ),
        "weights": weights or "by default",
        "export": f"{plan.target.path} (images: {plan.target.images})",
    }


def _choice_text(choice: Choice) -> str:
    options = ", ".join(f"{key} {value}" for key, value in choice.options.items())
    return f"{choice.label} ({options})" if options else choice.label


def as_dict(result: RunResult) -> dict[str, Any]:
    """Return a run's result, JSON-able."""
    clustered, exported = result.clustered, result.exported
    return {
        "dataset": result.dataset.name,
        "scored": dict(result.scored.done),
        "failed": dict(result.scored.failed),
        "without_image": render.nonzero(result.scored.without_image),
        "by_others": render.nonzero(result.scored.others),
        "embedded": result.scored.embedded,
        "spaces": {name: {"without": count} for name, count in result.scored.spaces.items()},
        "components": dict(result.scored.identities),
        **render.calls_fields(result.scored),
        **({"check": result.scored.checked.to_dict()} if result.scored.checked else {}),
        "clusters": clustered and {str(k): n for k, n in clustered.sizes.items()},
        "export": exported and export_as_dict(exported),
        "page": result.report and str(result.report),
        **(result.selection.to_dict() if result.selection else {}),
        **({"recipes": [_recipe_dict(one) for one in result.others]} if result.others else {}),
    }


def _recipe_dict(result: RecipeResult) -> dict[str, Any]:
    return {
        **result.selection.to_dict(),
        "export": export_as_dict(result.exported),
        "page": result.report and str(result.report),
    }


def summarise(result: RunResult) -> None:
    """Print what a run did."""
    scored = result.scored
    facts: dict[str, Any] = {"data set": result.dataset.name}
    for name in scored.done:
        facts[f"{name} scores"] = render.scorer_summary(scored, name)
    if scored.asked:
        facts["calls"] = render.calls_summary(scored.asked)
    if scored.checked:
        facts["check"] = verdicts_text(scored.checked)
    if result.clustered:
        sizes = sorted(result.clustered.sizes.values(), reverse=True)
        facts["clusters"] = (
            f"{len(sizes)} by {result.clustered.name} ({', '.join(map(str, sizes))})"
        )
    if result.selection:
        facts[_named("selected", result.name)] = _selected(result.selection)
        facts |= mix_facts(result.selection)
    if result.exported:
        facts["written to"] = result.exported.path
        facts |= {
            "images": images_text(result.exported),
            "left out": left_out_text(result.exported),
        }
    for other in result.others:
        facts[_named("selected", other.name)] = _selected(other.selection)
        facts[_named("written to", other.name)] = other.exported.path
    for other in result.others:
        facts[_named("look at it", other.name)] = other.report or ""
    facts[_named("look at it", result.name)] = result.report or ""
    render.print_facts({name: fact for name, fact in facts.items() if fact != ""})


def _named(fact: str, name: str | None) -> str:
    return fact if name is None else f"{fact} ({name})"


def _selected(selection: SelectionResult) -> str:
    config = selection.config
    weights = ", ".join(f"{name} {w:g}" for name, w in config["weights"].items())
    by = weights or f"by {config['selector']['use']}"
    return f"{len(selection):,} of {config['candidates']:,} ({by})"
