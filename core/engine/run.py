"""`ig4 run`: does all stages of a plan, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ig4.core.counts import counted
from ig4.core.engine.exporting.export import ExportResult, check_export, export
from ig4.core.engine.grouping.cluster import ClusterRequest, ClusterResult, cluster
from ig4.core.engine.ingesting.ingest import ingest
from ig4.core.engine.ingesting.result import IngestResult
from ig4.core.engine.scoring.score import ScoreResult, score
from ig4.core.engine.selecting.result import SelectionResult
from ig4.core.engine.selecting.select import select
from ig4.core.errors import UsageError
from ig4.storage import datasets

if TYPE_CHECKING:
    from ig4.core.contracts import Clusterer
    from ig4.core.engine.runplan import RunPlan
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """What a further recipe of a run made of the same scores."""

    name: str | None
    clustered: ClusterResult | None
    selection: SelectionResult
    exported: ExportResult


@dataclass(frozen=True, slots=True)
class RunResult:
    """What each stage of a run did; a stage that was not asked for is None.

    `name` is that of the recipe, where several were run; `others` have what further ones made.
    """

    dataset: DatasetRow
    ingested: IngestResult | None
    scored: ScoreResult
    clustered: ClusterResult | None
    selection: SelectionResult | None
    exported: ExportResult | None
    name: str | None = None
    others: tuple[RecipeResult, ...] = ()

    @property
    def failed(self) -> int:
        """How many scores are errors."""
        return sum(self.scored.failed.values())


def run(session: Session, plan: RunPlan) -> RunResult:
    """Do all stages; what is stored already is not computed again.

    Raises:
        UsageError, DatasetError, PrerequisiteError, …: as the stages do.
    """
    with session.recorded("run", plan.config, plan.seed):
        ingested = ingest(session, plan.source) if plan.source else None
        dataset = ingested.dataset if ingested else session.dataset(plan.dataset)
        several = bool(plan.others)
        for one in (plan, *plan.others):
            _check_counts(session, dataset, one)
            check_export(session, dataset, one.target)  # before anything is paid for
        scored = score(session, dataset, plan.scoring)
        if scored.stopped:
            # The best of the samples rated so far need not be the best of all.
            session.notice(f"{scored.stopped}: nothing is selected until the rest is rated")
            return RunResult(dataset, ingested, scored, None, None, None)
        # The first recipe's selection is made last, and so the newest one of the data set.
        others = tuple(_select(session, dataset, one, several=several) for one in plan.others)
        made = _select(session, dataset, plan, several=several)
        return RunResult(
            dataset,
            ingested,
            scored,
            made.clustered,
            made.selection,
            made.exported,
            made.name,
            others,
        )


def _select(session: Session, dataset: DatasetRow, plan: RunPlan, *, several: bool) -> RecipeResult:
    """Group, select and export as a plan says; of several plans, notices name theirs."""
    with session.notices_of(plan.selection.name if several else None):
        clustered = cluster(session, dataset, plan.clustering) if plan.clustering else None
        selection = select(session, dataset, plan.selection)
        exported = export(session, dataset, plan.target, selection.id)
    return RecipeResult(plan.selection.name, clustered, selection, exported)


def _check_counts(session: Session, dataset: DatasetRow, plan: RunPlan) -> None:
    """Refuse now what clustering and selecting would refuse only after all was scored.

    They may refuse more: images can turn out to be unreadable.

    Raises:
        UsageError: there are fewer samples, or images, than are asked for.
    """
    size, clustering = plan.selection.size, plan.clustering
    of_images = clustering is not None and clustering.space is None
    k = clustering.k if clustering is not None and _uses_k(session, clustering) else None
    with session.store.reading() as connection:
        count = datasets.count_samples(connection, dataset.id)
        images = datasets.count_images(connection, dataset.id)
    if size is not None and size > count:
        raise UsageError(f"cannot select {counted(size, 'sample')}: {dataset.name} has {count:,}")
    if k is not None and k < 1:
        raise UsageError(f"cannot form {k} clusters: choose k from 1 on")
    if of_images and images == 0:
        raise UsageError(
            f"cannot form clusters: no image of {dataset.name} can be read. Give the images, or "
            "choose without clusters: --clusterer none --selector topk"
        )
    if k is not None and of_images and k > images:
        raise UsageError(
            f"cannot form {counted(k, 'cluster')} of {counted(images, 'distinct image')}: lower --k"
        )


def _uses_k(session: Session, request: ClusterRequest) -> bool:
    clusterer = session.host.load("clusterer", request.clusterer.use, runnable=False)
    return cast("type[Clusterer]", clusterer).uses_k
