"""What a command is going to do: configuration, flags and recipe, resolved once and checked.

`make_run_plan` joins the requests of all stages into one plan, and finds what is wrong with it,
before anything is recorded or computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ig4.core.contracts import Needs
from ig4.core.engine.ingesting.ingest import DatasetSource, default_name
from ig4.core.engine.pooling.spacenames import all_parts
from ig4.core.engine.recordedsettings import with_recorded_options
from ig4.core.engine.requests import (
    cluster_request,
    dataset_source,
    export_target,
    score_request,
    selection_request,
)
from ig4.core.engine.runplan import RunPlan
from ig4.core.engine.scoring.score import imported_scorers, imported_spaces
from ig4.core.engine.selecting.candidates import NO_CLUSTERS, SelectionRequest
from ig4.core.engine.selecting.draft import all_needs
from ig4.core.engine.selecting.weights import check_weights
from ig4.core.errors import UsageError
from ig4.storage import clusters, datasets

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.contracts import Needs
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


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
        report=config.run.report,
    )
    _check(session, plan, config, known)
    return plan


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
