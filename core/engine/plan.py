"""What a command is going to do: configuration, flags and recipe, resolved once and checked.

Every stage has a request of its own. The functions here make it from a configuration, for `ig4 run`
and for the command of that stage alike. `make_run_plan` joins them into one plan, and finds what is
wrong with it, before anything is recorded or computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.contracts import Needs
from ig4.core.engine.checkups.request import PAIRS, SEED, CheckRequest
from ig4.core.engine.exporting.export import ExportTarget
from ig4.core.engine.grouping.cluster import ClusterRequest
from ig4.core.engine.ingesting.ingest import DatasetSource, default_name
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.pooling.groups import GroupSources
from ig4.core.engine.pooling.settings import AUTO, PoolSettings
from ig4.core.engine.pooling.spacenames import all_parts
from ig4.core.engine.recordedsettings import with_recorded_options
from ig4.core.engine.runplan import RunPlan
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import imported_scorers, imported_spaces
from ig4.core.engine.selecting.candidates import NO_CLUSTERS, SelectionRequest
from ig4.core.engine.selecting.draft import all_needs
from ig4.core.engine.selecting.funnel import HASHED, Stage
from ig4.core.engine.selecting.weights import check_weights
from ig4.core.errors import UsageError
from ig4.core.records import JSON, Choice
from ig4.storage import clusters, datasets

if TYPE_CHECKING:
    from ig4.core.config import Config, StageSection
    from ig4.core.contracts import Needs
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

PAPER_FRACTION = 0.06
"""The share that is selected by default: the paper's, 200 of 3,439."""


def make_run_plan(
    session: Session,
    config: Config,
    *,
    retry_failed: bool = False,
    recompute: Sequence[str] = (),
    recipe: str | None = None,
) -> RunPlan:
    """Return what a configuration makes `ig4 run` do; nothing is recorded or computed.

    `recipe` names the recipe that it was made with: what its selection is then called.

    Raises:
        UsageError: an unknown component or option, a wrong weight, or no scorer.
        DatasetError: no data set is named, and the database does not hold just one.
    """
    needs = _needs(session, config)
    if needs.scores and not config.run.scorers:
        raise UsageError("name at least one scorer: --scorers clip,length")
    source = dataset_source(config)
    name = _dataset_name(session, config, source)
    known = _known_dataset(session, name)
    clustered = config.cluster.clusterer != NO_CLUSTERS and needs.clusters
    own = config.cluster.space if clustered else None
    spaces = _computed_spaces(
        session, known, (*needs.all_spaces, *((own,) if own else ())), recompute
    )
    config = with_recorded_options(
        session,
        known,
        config,
        scorers=config.run.scorers,
        embedder=config.run.embedder if clustered and own is None else None,
        clusterer=config.cluster.clusterer if clustered else None,
        spaces=(*config.run.spaces, *spaces),
    )
    imported = known and _is_imported(session, known, config.cluster.clusterer)
    clustering = cluster_request(config) if clustered and not imported else None
    plan = RunPlan(
        source=source,
        dataset=name,
        scoring=score_request(
            config,
            embedders=() if clustering is None or own is not None else (clustering.embedder,),
            spaces=spaces,
            retry_failed=retry_failed,
            recompute=recompute,
        ),
        clustering=clustering,
        selection=_selection(config, needs, recipe, clustered=clustered),
        target=export_target(config, name),
        seed=config.run.seed,
        # Without the database's URL, which may hold a password.
        config=config.model_dump(mode="json", exclude={"db"}),
    )
    _check(session, plan, config, known)
    return plan


def dataset_source(config: Config) -> DatasetSource | None:
    """Return the data set that a configuration wants read, or None if it names no path."""
    section = config.dataset
    if section.path is None:
        return None
    options = dict(section.options)
    for key in ("encoding", "instruction"):
        value = getattr(section, key)
        if value is not None:
            options[key] = value
    return DatasetSource(
        section.path,
        section.name,
        section.format,
        options,
        section.image_root,
        section.duplicate_ids,
    )


def score_request(
    config: Config,
    *,
    embedders: Sequence[Choice] = (),
    spaces: Sequence[str] = (),
    retry_failed: bool = False,
    recompute: Sequence[str] = (),
) -> ScoreRequest:
    """Return what is to be scored, and how; `embedders` are wanted beside those of scorers.

    `spaces` are wanted by name, beside those that the configuration names.
    """
    names = all_parts((*config.run.spaces, *spaces))
    return ScoreRequest(
        scorers=tuple(config.choice("scorer", name) for name in config.run.scorers),
        embedders=tuple(embedders),
        executor=config.choice("executor", config.run.executor),
        call_settings=config.call_settings,
        retry_failed=retry_failed,
        recompute=tuple(recompute),
        spaces=tuple(embedder_choice(config, name) for name in names),
        pool=pool_settings(config),
        check=CheckRequest() if config.run.check else None,
    )


def check_request(
    config: Config,
    *,
    scorers: Sequence[str] | None = None,
    pairs: int = PAIRS,
    seed: int = SEED,
    paid: bool = False,
    reuse: bool = True,
) -> CheckRequest:
    """Return which columns of scores are to be checked, and how.

    The seed is not that of a run: whatever a run draws, its scores are checked on the same pairs.
    """
    return CheckRequest(
        scorers=scorers,
        pairs=pairs,
        seed=seed,
        paid=paid,
        reuse=reuse,
        executor=config.choice("executor", config.run.executor),
        call_settings=config.call_settings,
    )


def cluster_request(config: Config) -> ClusterRequest:
    """Return how samples are to be grouped."""
    return ClusterRequest(
        clusterer=config.choice("clusterer", config.cluster.clusterer),
        embedder=embedder_choice(config),
        k=config.cluster.k,
        seed=config.run.seed,
        space=config.cluster.space,
        choices=space_choices(config),
    )


def space_choices(config: Config) -> dict[str, Choice]:
    """Return the embedders that a configuration gives options, by the names of their spaces."""
    return {name: embedder_choice(config, name) for name in config.embedders}


def group_sources(config: Config) -> GroupSources:
    """Return what groups are made from: the groupers and embedders that have options."""
    groupers = {name: config.choice("grouper", name) for name in config.groupers}
    return GroupSources(groupers, space_choices(config))


def embedder_choice(config: Config, label: str | None = None) -> Choice:
    """Return the embedder of a name, by default the one that clusters are made from.

    Where the configuration says nothing of it, it takes the options of the scorer of the same
    name, so that images are embedded once and not twice.
    """
    label = label or config.run.embedder
    if label in config.embedders or label not in config.scorers:
        return _with_model_of_scorer(config, config.choice("embedder", label))
    scorer = config.choice("scorer", label)
    return Choice("embedder", scorer.use, scorer.options, label)


def selection_request(
    config: Config,
    *,
    scorers: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    clustering: str | int | None = None,
    recipe: str | None = None,
    requires: Sequence[str] = (),
    uses: Sequence[str] = (),
) -> SelectionRequest:
    """Return what is to be selected, by default by all scores that there are.

    `recipe` is what the selection is called; it `requires` these scores, and `uses` others if they
    are there. `weights` are by default
    the configured ones; `clustering` is a name or a number, by default the newest, or none if the
    configured clusterer is none.
    """
    section = config.select
    if clustering is None and config.cluster.clusterer == NO_CLUSTERS:
        clustering = NO_CLUSTERS
    size, fraction = section.size, section.fraction
    if size is None and fraction is None:
        fraction = PAPER_FRACTION
    return SelectionRequest(
        size=size,
        fraction=fraction,
        selector=config.choice("selector", section.selector),
        scorers=scorers,
        weights=section.weights if weights is None else weights,
        scale=section.scale,
        clustering=clustering,
        missing=section.missing,
        seed=config.run.seed,
        within=section.within,
        combine=section.combine,
        groups=section.groups,
        stages=tuple(_stage(config, stage) for stage in section.stages),
        pool=pool_settings(config),
        name=recipe,
        requires=tuple(requires),
        uses=tuple(uses),
    )


def _stage(config: Config, section: StageSection) -> Stage:
    choice = None if section.selector is None else config.choice("selector", section.selector)
    return Stage(
        do=section.do,
        tails=dict(section.tails),
        within=section.within,
        spaces=section.spaces or (() if section.bits is None else HASHED),
        alike=section.alike,
        bits=section.bits,
        selector=choice,
        size=section.size,
        fraction=section.fraction,
    )


def _with_model_of_scorer(config: Config, choice: Choice) -> Choice:
    """Give an embedder that names no model that of the scorer of its kind.

    So the vectors of answers (`[embedders.clip-answer] use = "clip"`) are of the model that the
    images are embedded with.
    """
    scorer = config.scorers.get(choice.use, {})
    if "model" in choice.options or choice.use == choice.label:
        return choice
    names = ("model", "pretrained", "precision")
    shared: dict[str, JSON] = {key: scorer[key] for key in names if key in scorer}
    return replace(choice, options={**shared, **choice.options})


def pool_settings(config: Config) -> PoolSettings:
    """Return what names of spaces and groups stand for."""
    embedders = space_choices(config)
    embedders.setdefault(config.run.embedder, embedder_choice(config))
    return PoolSettings(
        embedders=embedders,
        groupers={name: config.choice("grouper", name) for name in config.groupers},
        index=None if config.run.index == AUTO else config.choice("index", config.run.index),
    )


def export_target(config: Config, dataset: str) -> ExportTarget:
    """Return where the selection goes: by default to the folder selected/NAME."""
    section = config.export
    path = section.path or Path("selected") / folder_name(dataset)
    return ExportTarget(
        path,
        section.format,
        section.options,
        section.images,
        keep_problems=section.problems == "keep",
        overwrite=section.overwrite,
    )


def _dataset_name(session: Session, config: Config, source: DatasetSource | None) -> str:
    if source is None:
        return session.dataset(config.dataset.name).name
    return source.name or default_name(session, source.path)


def _known_dataset(session: Session, name: str) -> DatasetRow | None:
    with session.store.reading() as connection:
        return datasets.find(connection, name)


def _needs(session: Session, config: Config) -> Needs:
    """Return what stages and selector of a configuration need.

    Raises:
        UsageError: an unknown selector or option.
    """
    return all_needs(session, selection_request(config))


def _counting(config: Config, needs: Needs) -> tuple[str, ...] | None:
    """Return the scorers of a run that count, None where none do.

    Those that the selector reads beside them count only if they have a weight.
    """
    beside = set(needs.optional_columns) | set(needs.columns)
    counting = tuple(
        name for name in config.run.scorers if name not in beside or name in config.select.weights
    )
    return (counting or config.run.scorers) if needs.scores else None


def _computed_spaces(
    session: Session, dataset: DatasetRow | None, spaces: Sequence[str], recompute: Sequence[str]
) -> tuple[str, ...]:
    """Return those parts of spaces that embedders compute: all but the imported ones."""
    imported = imported_spaces(session, dataset) - set(recompute) if dataset else set()
    return tuple(name for name in all_parts(spaces) if name not in imported)


def _is_imported(session: Session, dataset: DatasetRow, clusterer: str) -> bool:
    """Tell whether a clusterer's name stands for imported clusters in a data set."""
    with session.store.reading() as connection:
        row = clusters.find(connection, dataset.id, name=clusterer)
    return row is not None and row.imported


def run_weights(config: Config) -> dict[str, float]:
    """Return the configured weights without those of configured scorers that do not run.

    All of them where none would be left, so that it is told that they count for nothing.
    """
    weights = config.select.weights
    running = {
        name: weight
        for name, weight in weights.items()
        if name in config.run.scorers or name not in config.scorers
    }
    return running or dict(weights)


def _selection(
    config: Config, needs: Needs, recipe: str | None, *, clustered: bool
) -> SelectionRequest:
    """Return what a run is to select: by its own scorers, weights and clusters."""
    return selection_request(
        config,
        scorers=_counting(config, needs),
        weights=run_weights(config),
        clustering=config.cluster.clusterer if clustered else None,
        recipe=recipe,
    )


def _check(session: Session, plan: RunPlan, config: Config, dataset: DatasetRow | None) -> None:
    """Find what is wrong with a plan before any work is done.

    Raises:
        UsageError: an unknown component or option, or a wrong weight.
    """
    _check_components(session, plan, dataset)
    _check_clusterer(session, config, dataset)
    check_weights(session, config.run.scorers, plan.selection.weights)


def _check_components(session: Session, plan: RunPlan, dataset: DatasetRow | None) -> None:
    """Find wrong names and options before any work is done.

    A scorer that the data set has imported scores of need not exist here.

    Raises:
        UsageError: an unknown component or option.
    """
    imported = imported_scorers(session, dataset) if dataset else set()
    computed = [
        choice
        for choice in plan.scoring.scorers
        if choice.label not in imported or choice.label in plan.scoring.recompute
    ]
    for choice in (*computed, *plan.spaces, plan.scoring.executor):
        session.host.validate(choice, runnable=False)


def _check_clusterer(session: Session, config: Config, dataset: DatasetRow | None) -> None:
    """Find a wrong clusterer or option, also where the selector does not heed clusters.

    Raises:
        UsageError: an unknown component or option.
    """
    name = config.cluster.clusterer
    if name == NO_CLUSTERS or (dataset and _is_imported(session, dataset, name)):
        return
    session.host.validate(config.choice("clusterer", name), runnable=False)
