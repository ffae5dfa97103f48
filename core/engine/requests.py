"""What each stage is asked to do: a request of its own, made from a configuration.

For `ig4 run` and for the command of a stage alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ig4.core.engine.checkups.request import PAIRS, SEED, CheckRequest
from ig4.core.engine.exporting.export import ExportTarget
from ig4.core.engine.grouping.cluster import ClusterRequest
from ig4.core.engine.ingesting.ingest import DatasetSource
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.pooling.groups import GroupSources
from ig4.core.engine.pooling.settings import AUTO, PoolSettings
from ig4.core.engine.pooling.spacenames import all_parts
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.sharing.shards import Shard
from ig4.core.engine.selecting.candidates import NO_CLUSTERS, SelectionRequest
from ig4.core.engine.selecting.funnel import HASHED, Stage
from ig4.core.engine.selecting.pins import PinRequest, PinSource
from ig4.core.records import JSON, Choice

if TYPE_CHECKING:
    from ig4.core.config import Config, SelectSection, StageSection

PAPER_FRACTION = 0.06
"""The share that is selected by default: the paper's, 200 of 3,439."""


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
        fetch_images=section.fetch_images,
    )


def score_request(
    config: Config,
    *,
    embedders: Sequence[Choice] = (),
    spaces: Sequence[str] = (),
    retry_failed: bool = False,
    recompute: Sequence[str] = (),
    shard: str | None = None,
) -> ScoreRequest:
    """Return what is to be scored, and how; `embedders` are wanted beside those of scorers.

    `spaces` are wanted by name, beside those that the configuration names.

    Raises:
        UsageError: `shard` is no K/N with K from 1 to N.
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
        shard=None if shard is None else Shard.parse(shard),
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
        index=index_choice(config),
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
        pins=_pins(section),
    )


def _pins(section: SelectSection) -> PinRequest:
    """Return which samples are to be in a selection, and which not, as yet unread."""

    def sources(given: Path | tuple[str, ...] | None, sql: str | None) -> tuple[PinSource, ...]:
        found = [PinSource(stored=True)] if section.pins else []
        if isinstance(given, Path):
            found.append(PinSource(file=str(given)))
        elif given:
            found.append(PinSource(ids=tuple(dict.fromkeys(given))))
        if sql is not None:
            found.append(PinSource(sql=sql))
        return tuple(found)

    return PinRequest(
        keep=sources(section.keep, section.keep_sql), drop=sources(section.drop, section.drop_sql)
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
        index=index_choice(config),
    )


def index_choice(config: Config) -> Choice | None:
    """Return the index that is to find neighbours; None leaves the choice to ig4."""
    return None if config.run.index == AUTO else config.choice("index", config.run.index)


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
