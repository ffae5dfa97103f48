"""`ig4 run`: does all stages of a plan, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ig4.core.counts import counted, nouns, verb
from ig4.core.engine.exporting.export import ExportResult, check_export, export
from ig4.core.engine.grouping.cluster import ClusterRequest, ClusterResult, cluster
from ig4.core.engine.ingesting.ingest import ingest
from ig4.core.engine.ingesting.result import IngestResult
from ig4.core.engine.reporting.report import keep_report, page_beside
from ig4.core.engine.runplan import errors_of
from ig4.core.engine.scoring.score import ScoreResult, score
from ig4.core.engine.selecting.result import SelectionResult
from ig4.core.engine.selecting.select import select
from ig4.core.errors import Ig4Error, UsageError
from ig4.core.views.tabular import ResultTable, TabularResult
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
    report: Path | None = None


@dataclass(frozen=True, slots=True, repr=False)
class RunResult(TabularResult):
    """What each stage of a run did; a stage that was not asked for is None.

    `report` is the page about the selection.

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
    report: Path | None = None

    @property
    def failed(self) -> int:
        """How many scores are errors, and how many samples lack a vector of a space."""
        return sum(self.scored.failed.values()) + sum(self.scored.spaces.values())

    def headline(self) -> str:
        """Return what it is, in a few words."""
        return f"{self.dataset.name}: {'; '.join(told for _, told in self._table().rows)}"

    def _table(self) -> ResultTable:
        """Return what each stage did, in the words of its result."""
        done: dict[str, TabularResult | None] = {
            "ingest": self.ingested,
            "score": self.scored,
            "cluster": self.clustered,
            "select": self.selection,
            "export": self.exported,
        }
        rows = [(name, one.headline()) for name, one in done.items() if one is not None]
        return ResultTable(("stage", "result"), rows)


def run(session: Session, plan: RunPlan) -> RunResult:
    """Do all stages; what is stored already is not computed again.

    Raises:
        UsageError, DatasetError, PrerequisiteError, …: as the stages do.
    """
    with session.recorded("run", plan.config, plan.seed):
        ingested = ingest(session, plan.source) if plan.source else None
        dataset = ingested.dataset if ingested else session.dataset(plan.dataset)
        for one in (plan, *plan.others):
            with errors_of(_recipe(plan, one)):
                _check_counts(session, dataset, one)
                check_export(session, dataset, one.target)  # before anything is paid for
        scored = score(session, dataset, plan.scoring)
        if scored.stopped:
            # The best of the samples rated so far need not be the best of all.
            session.notice(f"{scored.stopped}: nothing is selected until the rest is rated")
            return RunResult(dataset, ingested, scored, None, None, None)
        *others, made = _export(session, dataset, plan, _select(session, dataset, plan))
        return RunResult(
            dataset,
            ingested,
            scored,
            made.clustered,
            made.selection,
            made.exported,
            made.name,
            tuple(others),
            made.report,
        )


@dataclass(frozen=True, slots=True)
class _Selected:
    """What one plan of a run selected, before it is exported."""

    plan: RunPlan
    clustered: ClusterResult | None
    selection: SelectionResult


def _recipe(whole: RunPlan, one: RunPlan) -> str | None:
    """Return the name of the recipe of a plan, where a run has several."""
    return one.selection.name if whole.others else None


def _select(session: Session, dataset: DatasetRow, plan: RunPlan) -> list[_Selected]:
    """Group and select as all plans say, before anything is exported.

    The first recipe's selection is made last, and so the newest one of the data set.
    """
    made: list[_Selected] = []
    for one in (*plan.others, plan):
        name = _recipe(plan, one)
        with session.notices_of(name), errors_of(name, lambda: _stored(made)):
            clustered = cluster(session, dataset, one.clustering) if one.clustering else None
            made.append(_Selected(one, clustered, select(session, dataset, one.selection)))
    return made


def _export(
    session: Session, dataset: DatasetRow, plan: RunPlan, selected: Sequence[_Selected]
) -> list[RecipeResult]:
    """Write all selections; of several plans, notices and errors name theirs."""
    made: list[RecipeResult] = []
    for one in selected:
        name = _recipe(plan, one.plan)
        with session.notices_of(name), errors_of(name, lambda: _written(selected, made)):
            exported = export(session, dataset, one.plan.target, one.selection.id)
            page = _page(session, dataset, one) if one.plan.report else None
        made.append(
            RecipeResult(one.plan.selection.name, one.clustered, one.selection, exported, page)
        )
    return made


def _page(session: Session, dataset: DatasetRow, made: _Selected) -> Path | None:
    """Write the page of a selection beside its export; None if it cannot be written.

    All that was asked for is done by then, so a page that cannot be written is no error.
    """
    path = page_beside(made.plan.target.path)
    try:
        keep_report(session, dataset, made.selection.id, path)
    except Ig4Error as error:
        session.notice(f"no page about the selection was written: {error}")
        return None
    return path


def _stored(made: Sequence[_Selected]) -> str:
    """Say which selections a run has made that goes no further."""
    if not made:
        return "Nothing is selected or exported"
    return f"Nothing is exported; {_kept(made)}"


def _written(selected: Sequence[_Selected], made: Sequence[RecipeResult]) -> str:
    """Say which selections of a run are written already, and that all are stored."""
    written = ", ".join(f"{one.name} to {one.exported.path}" for one in made) or "nothing"
    return f"Exported so far: {written}; {_kept(selected)}"


def _kept(made: Sequence[_Selected]) -> str:
    named = ", ".join(f"{one.selection.id} ({one.plan.selection.name})" for one in made)
    return (
        f"{nouns(len(made), 'selection')} {named} {verb(len(made), 'is', 'are')} stored, and "
        "`ig4 export --selection NUMBER PATH` writes one"
    )


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
