"""The selection stage: scores to percents, percents to F(x), and the best of each cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.contracts import Selector
from ig4.core.engine.mixtures import tell_shared
from ig4.core.engine.selecting.candidates import (
    CandidateTable,
    SelectionRequest,
    candidate_table,
    resolve_size,
)
from ig4.core.engine.selecting.pooldata import candidate_pool
from ig4.core.engine.selecting.result import SelectionResult
from ig4.core.errors import PluginError
from ig4.core.events import Selected, StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.storage import samples, selections
from ig4.storage.selections import SelectionItem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

STAGE = "select"


def select(
    session: Session, dataset: DatasetRow, request: SelectionRequest, *, latest: bool = True
) -> SelectionResult:
    """Select samples and store the selection; the same request on the same
    scores is stored once.

    The result is then the newest selection of the data set; without `latest`, an older one that
    is the same will do.

    Raises:
        UsageError: size above the number of candidates, unknown scorer, weight or clustering.
        MissingScoreError: samples lack a score and `missing` is "error".
    """
    selector = session.configured(request.selector)
    assert isinstance(selector.component, Selector)
    config = _config(dataset, request, selector.fingerprint.value)
    with session.recorded("select", config, request.seed):
        session.attach(dataset.id)
        session.emit(StageStarted(STAGE, None))
        tell_shared(session.store, dataset, session.notice)
        table = candidate_table(session, dataset, request, selector.component.needs())
        size = resolve_size(request, len(table.sample_ids), table.left_out)
        rows = choose(session, dataset, request, selector.component, table, size)
        chosen = _chosen(session, dataset, table, rows)
        full = config | {
            "weights": dict(zip(table.names, table.weights.tolist(), strict=True)),
            "components": dict(table.components),
            **({"options": dict(table.options)} if table.options else {}),
            "clustering": table.clustering.name if table.clustering else None,
            "candidates": len(table.sample_ids),
            "left_out": dict(table.left_out),
        }
        result = _store(session, dataset, selector.fingerprint, table, full, chosen, latest)
        session.emit(Selected(result.id, len(chosen)))
        session.emit(StageFinished(STAGE, f"{len(chosen):,} of {len(table.sample_ids):,}"))
        return result


def choose(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    selector: Selector,
    table: CandidateTable,
    size: int,
) -> NDArray[np.int64]:
    """Return the `size` rows of the table that a selector chooses, best first.

    Raises:
        UsageError: the selector cannot work on this table.
        PluginError: it returns anything but `size` distinct rows.
    """
    label = request.selector.label
    pool = candidate_pool(
        session,
        dataset,
        table,
        selector.needs(),
        size=size,
        seed=request.seed,
        reader=f"selector {label}",
    )
    rows = np.asarray(selector.choose(pool))
    _check(label, rows, size, len(table.sample_ids))
    return rows


def _config(dataset: DatasetRow, request: SelectionRequest, fingerprint: str) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "selector": {"use": request.selector.use, **request.selector.options},
        "selector_fingerprint": fingerprint,
        "size": request.size,
        "fraction": request.fraction,
        "scale": request.scale,
        "missing": request.missing,
        "seed": request.seed,
    }


def _check(label: str, rows: NDArray[np.int64], size: int, candidates: int) -> None:
    distinct = np.unique(rows)
    good = rows.shape == (size,) and len(distinct) == size
    if not good or (size and not 0 <= distinct[0] <= distinct[-1] < candidates):
        raise PluginError(
            f"selector {label} must return {size} distinct rows from 0 to {candidates - 1}; it "
            f"returned {len(rows)}, of which {len(distinct)} differ"
        )


def _chosen(
    session: Session, dataset: DatasetRow, table: CandidateTable, rows: NDArray[np.int64]
) -> list[SelectionItem]:
    ids = table.sample_ids[rows].tolist()
    with session.store.reading() as connection:
        names = samples.external_ids(connection, ids, dataset.id)
    return [
        SelectionItem(
            sample_id=sample,
            content_id=int(table.contents[row]),
            external_id=names[sample],
            rank=rank,
            cluster=int(table.labels[row]),
            final_score=float(table.final[row]),
        )
        for rank, (row, sample) in enumerate(zip(rows.tolist(), ids, strict=True), start=1)
    ]


def _store(
    session: Session,
    dataset: DatasetRow,
    fingerprint: Any,
    table: CandidateTable,
    config: Mapping[str, Any],
    chosen: list[SelectionItem],
    latest: bool,
) -> SelectionResult:
    ranked = [[one.sample_id, one.content_id, one.final_score] for one in chosen]
    clustering_id = table.clustering.id if table.clustering else None
    digest = digest_of([config, clustering_id, ranked])
    component = session.component_id(fingerprint)
    with session.store.writing() as connection:
        last = selections.last(connection, dataset.id, None if latest else digest)
        selection_id = (
            last.id
            if last is not None and last.digest == digest
            else selections.put(
                connection,
                dataset_id=dataset.id,
                component_id=component,
                clustering_id=clustering_id,
                config=config,
                digest=digest,
                run_id=session.run_id,
                items=chosen,
            )
        )
    return SelectionResult(selection_id, dataset.name, cast("dict[str, Any]", dict(config)), chosen)
