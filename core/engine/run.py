"""The whole way: ingest, embed and score, cluster, select, export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.contracts import Selector
from ig4.core.engine.exporting.export import ExportResult, ExportTarget, export
from ig4.core.engine.grouping.cluster import ClusterResult, cluster
from ig4.core.engine.ingesting.ingest import DatasetSource, IngestResult, ingest
from ig4.core.engine.ingesting.paths import folder_name
from ig4.core.engine.scoring.score import ScoreResult, score
from ig4.core.engine.selecting.result import SelectionResult
from ig4.core.engine.selecting.select import SelectionRequest, select
from ig4.core.engine.selecting.weights import check_weights
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage import clusters, datasets, scores

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

NO_CLUSTERS = "none"


@dataclass(frozen=True, slots=True)
class RunResult:
    """What each stage of a run did; a stage that was not asked for is None."""

    dataset: DatasetRow
    ingested: IngestResult | None
    scored: ScoreResult
    clustered: ClusterResult | None
    selection: SelectionResult | None
    exported: ExportResult | None

    @property
    def failed(self) -> int:
        """How many scores are errors."""
        return sum(self.scored.failed.values())


def source_of(config: Config) -> DatasetSource | None:
    """Return the data set that a configuration names, if any."""
    chosen = config.dataset
    if chosen.path is None:
        return None
    options = dict(chosen.options)
    for key in ("encoding", "instruction"):
        value = getattr(chosen, key)
        if value is not None:
            options[key] = value
    return DatasetSource(
        chosen.path, chosen.name, chosen.format, options, chosen.image_root, chosen.duplicate_ids
    )


def wish_of(config: Config) -> SelectionRequest:
    """Return the selection that a configuration asks for, of the run's scorers."""
    chosen = config.select
    size, fraction = chosen.size, chosen.fraction
    if size is None and fraction is None:
        fraction = 0.06  # the paper's share: 200 of 3,439
    clustered = config.cluster.clusterer != NO_CLUSTERS
    return SelectionRequest(
        size=size,
        fraction=fraction,
        selector=config.choice("selector", chosen.selector),
        scorers=config.run.scorers,
        weights={
            name: weight
            for name, weight in chosen.weights.items()
            if name in config.run.scorers or name not in config.scorers
        },
        scale=chosen.scale,
        clustering=config.cluster.clusterer if clustered else None,
        missing=chosen.missing,
        seed=config.run.seed,
    )


def target_of(config: Config, dataset: DatasetRow) -> ExportTarget:
    """Return where a configuration wants the selection: by default the folder selected/NAME."""
    chosen = config.export
    path = chosen.path or Path("selected") / folder_name(dataset.name)
    return ExportTarget(path, chosen.format, chosen.options, chosen.images)


def run(
    session: Session,
    config: Config,
    *,
    retry_failed: bool = False,
    recompute: Sequence[str] = (),
) -> RunResult:
    """Do all stages; what is stored already is not computed again.

    Raises:
        UsageError, DatasetError, PrerequisiteError, …: as the stages do.
    """
    scorers = [config.choice("scorer", name) for name in config.run.scorers]
    if not scorers:
        raise UsageError("name at least one scorer: --scorers clip,length")
    request = wish_of(config)
    grouped = groups(session, config)
    if not grouped:
        request = replace(request, clustering=None)
    # First of all: what stands where no option is, a key perhaps, must not be recorded. Nor must
    # the database's URL, which may hold a password.
    check(session, config)
    with session.recorded("run", config.model_dump(mode="json", exclude={"db"}), config.run.seed):
        source = source_of(config)
        ingested = ingest(session, source) if source else None
        dataset = ingested.dataset if ingested else session.dataset(config.dataset.name)
        embedder = embedder_of(config)
        grouping = grouped and not is_imported(session, dataset, config)
        _check_counts(session, dataset, request, config.cluster.k if grouping else None)
        scored = score(
            session,
            dataset,
            scorers,
            embedders=[embedder] if grouping else [],
            executor=config.choice("executor", config.run.executor),
            call_settings=config.call_settings,
            retry_failed=retry_failed,
            recompute=recompute,
        )
        if scored.stopped:
            # The best of what happens to be rated by now is not what was asked for.
            session.notice(f"{scored.stopped}: nothing is selected until the rest is rated")
            return RunResult(dataset, ingested, scored, None, None, None)
        clustered = None
        if grouping:
            clustered = cluster(
                session,
                dataset,
                config.choice("clusterer", config.cluster.clusterer),
                embedder,
                k=config.cluster.k,
                seed=config.run.seed,
            )
        selection = select(session, dataset, request)
        exported = export(session, dataset, target_of(config, dataset), selection.id)
        return RunResult(dataset, ingested, scored, clustered, selection, exported)


def groups(session: Session, config: Config) -> bool:
    """Tell whether a configuration wants clusters, and its selector heeds them.

    Raises:
        UsageError: an unknown selector or option.
    """
    choice = config.choice("selector", config.select.selector)
    selector = cast("Selector", session.host.build(choice))
    return config.cluster.clusterer != NO_CLUSTERS and selector.needs_clusters


def is_imported(session: Session, dataset: DatasetRow, config: Config) -> bool:
    """Tell whether the clusterer's name stands for imported clusters in this data set."""
    with session.store.reading() as connection:
        found = clusters.find(connection, dataset.id, name=config.cluster.clusterer)
    return found is not None and found.imported


def embedder_of(config: Config) -> Choice:
    """Return the embedder that clusters are made from.

    Where the configuration says nothing of it, it takes the options of the scorer of the same
    name that it has too, so that images are embedded once and not twice.
    """
    label = config.run.embedder
    if label in config.embedders or label not in config.scorers:
        return config.choice("embedder", label)
    scorer = config.choice("scorer", label)
    return Choice("embedder", scorer.use, scorer.options, label)


def check(session: Session, config: Config) -> None:
    """Find wrong names, options and weights before any work is done.

    A scorer that some data set has imported scores of need not exist here.

    Raises:
        UsageError: an unknown component or option, or a wrong weight.
    """
    with session.store.reading() as connection:
        imported = scores.imported_names(connection)
    names = [name for name in config.run.scorers if name not in imported]
    grouped = config.cluster.clusterer not in (NO_CLUSTERS, *clusterings(session))
    for choice in (
        *(config.choice("scorer", name) for name in names),
        *([config.choice("clusterer", config.cluster.clusterer)] if grouped else []),
        config.choice("executor", config.run.executor),
    ):
        session.host.validate(choice, runnable=False)
    check_weights(session, config.run.scorers, wish_of(config).weights)


def _check_counts(
    session: Session, dataset: DatasetRow, request: SelectionRequest, k: int | None
) -> None:
    """Find what clustering and selecting would refuse, but only after all was scored.

    `k` is the number of clusters to form, None for none. More may turn out to be unusable.

    Raises:
        UsageError: there are fewer samples, or images, than are asked for.
    """
    with session.store.reading() as connection:
        count = datasets.count_samples(connection, dataset.id)
        images = datasets.count_images(connection, dataset.id)
    if request.size is not None and request.size > count:
        raise UsageError(f"cannot select {request.size:,} samples: {dataset.name} has {count:,}")
    if k is not None and k < 1:
        raise UsageError(f"cannot form {k} clusters: choose k from 1 on")
    if k is not None and images == 0:
        raise UsageError(
            f"cannot form clusters: no image of {dataset.name} can be read. Give the images, or "
            "choose without clusters: --clusterer none --selector topk"
        )
    if k is not None and k > images:
        raise UsageError(f"cannot form {k} clusters of {images:,} distinct images: lower k")


def clusterings(session: Session) -> set[str]:
    """Return the names of imported clusterings."""
    with session.store.reading() as connection:
        return clusters.imported_names(connection)
