"""The selection stage: scores to percents, percents to F(x), and the best of each cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ig4.core.contracts import Selector
from ig4.core.counts import counted, verb
from ig4.core.engine.selecting.algorithm import final_scores
from ig4.core.engine.selecting.columns import ScoreMatrix, score_matrix
from ig4.core.engine.selecting.percent import percents
from ig4.core.engine.selecting.result import SelectionResult
from ig4.core.engine.selecting.weights import resolve_weights
from ig4.core.errors import MissingScoreError, PluginError, UsageError
from ig4.core.events import Selected, StageFinished, StageStarted
from ig4.core.host.fingerprint import digest_of
from ig4.core.host.recording import RecordedOptions
from ig4.core.records import Choice
from ig4.storage import clusters, samples, selections
from ig4.storage.selections import SelectionItem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.clusters import ClusteringRow
    from ig4.storage.datasets import DatasetRow

STAGE = "select"
NO_IMAGE = "an image file that holds no image"
PROBLEM = "a problem that `ig4 ingest` named"
QUOTA = Choice("selector", "quota")

NO_CLUSTERS = "none"
"""The name that stands for no clusters: all samples are in one."""


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """What to select: exactly one of `size` and `fraction`; the rest has sane defaults.

    `clustering` is a name, of which the one used last is taken, or an id; NO_CLUSTERS puts all
    samples into one cluster.
    """

    size: int | None = None
    fraction: float | None = None
    selector: Choice = QUOTA
    scorers: Sequence[str] | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    scale: str = "paper"
    clustering: str | int | None = None
    missing: str = "skip"
    seed: int = 42


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """Everything a selector decides on, a row for each candidate sample.

    `percent` (n, m) float64, `raw` (n, m) float64, `final` (n,) float64, `labels` (n,) int64,
    `sample_ids` and `contents` (n,) int64; `names` are the m scorers. `left_out` counts by
    reason the samples that are no candidates. `components` are fingerprints by scorer,
    `component_ids` their numbers, and `options` what the database has of their options.
    """

    names: tuple[str, ...]
    weights: NDArray[np.float64]
    raw: NDArray[np.float64]
    percent: NDArray[np.float64]
    final: NDArray[np.float64]
    labels: NDArray[np.int64]
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    left_out: Mapping[str, int]
    clustering: ClusteringRow | None
    components: Mapping[str, str]
    component_ids: Mapping[str, int]
    options: Mapping[str, Any]


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
        table = candidate_table(
            session, dataset, request, clusters_needed=selector.component.needs_clusters
        )
        size = resolve_size(request, len(table.sample_ids), table.left_out)
        rows = np.asarray(
            selector.component.select(
                table.percent, table.labels, size, table.weights, request.seed
            )
        )
        _check(request.selector.label, rows, size, len(table.sample_ids))
        chosen = _chosen(session, table, rows)
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


def resolve_size(
    request: SelectionRequest, candidates: int, left_out: Mapping[str, int] | None = None
) -> int:
    """Return how many samples to select; `left_out` counts by reason those that are no candidates.

    Raises:
        UsageError: neither or both of size and fraction, or out of range.
    """
    if (request.size is None) == (request.fraction is None):
        raise UsageError("say how many samples to select: --size 200 or --fraction 0.06")
    if request.fraction is not None:
        if not 0 < request.fraction <= 1:
            raise UsageError(f"--fraction {request.fraction:g} is not between 0 and 1")
    elif request.size is not None and request.size < 1:
        raise UsageError(f"--size {request.size}: select at least one sample")
    size = request.size or max(1, round((request.fraction or 0) * candidates))
    if size > candidates:
        why = _told_reasons(left_out or {})
        raise UsageError(
            f"cannot select {counted(size, 'sample')}: only {candidates:,} "
            f"{verb(candidates, 'has', 'have')} all that is needed to compare them"
            f"{f' ({why}); --scorers names the scorers to use' if why else ''}"
        )
    return size


def _told_reasons(left_out: Mapping[str, int]) -> str:
    return ", ".join(
        f"{count:,} {verb(count, 'has', 'have')} {reason}" for reason, count in left_out.items()
    )


def candidate_table(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    *,
    clusters_needed: bool,
    matrix: ScoreMatrix | None = None,
) -> CandidateTable:
    """Return scores, percents and clusters of a data set's samples.

    `matrix` has the scores that count, by default those of the request.

    Raises:
        UsageError, MissingScoreError: as `select`.
    """
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
        unusable = np.isin(sample_ids, samples.ids_with_unusable_images(connection, dataset.id))
        faulty = np.isin(sample_ids, samples.ids_with_problems(connection, dataset.id))
        clustering = _clustering(connection, dataset, request.clustering, needed=clusters_needed)
        labels = (
            clusters.labels(connection, clustering.id, sample_ids)
            if clustering is not None
            else np.zeros(len(sample_ids), dtype=np.int64)
        )
    if matrix is None:
        matrix = score_matrix(session, dataset, contents, request.scorers, request.weights)
    names, raw = matrix.names, matrix.raw
    percent = percents(session, matrix.columns, raw, request.scale)
    weights = resolve_weights(session, matrix.columns, request.weights)
    missing = np.isnan(raw)
    left_out = {f"no {name} score": int(missing[:, n].sum()) for n, name in enumerate(names)}
    if clusters_needed:
        left_out["no cluster"] = int((labels < 0).sum())
    left_out[NO_IMAGE] = int(unusable.sum())
    # By sample, not by content: a good one may have the same texts and images, and its scores.
    left_out[PROBLEM] = int((faulty & ~missing.any(axis=1)).sum())
    left_out = {reason: count for reason, count in left_out.items() if count}
    kept = ~(missing.any(axis=1) | unusable | faulty)
    if clusters_needed:
        kept &= labels >= 0
    _tell_left_out(session, left_out, int((~kept).sum()), refuse=request.missing == "error")
    percent = percent[kept]
    return CandidateTable(
        names=names,
        weights=weights,
        raw=raw[kept],
        percent=percent,
        final=final_scores(percent, weights),
        labels=labels[kept],
        sample_ids=sample_ids[kept],
        contents=contents[kept],
        left_out=left_out,
        clustering=clustering,
        components={column.name: column.fingerprint for column in matrix.columns},
        component_ids={column.name: column.component_id for column in matrix.columns},
        options=_told_options(matrix),
    )


def _tell_left_out(
    session: Session, left_out: Mapping[str, int], count: int, *, refuse: bool
) -> None:
    """Say how many samples are left out, and why; or refuse to leave any out."""
    if not left_out:
        return
    if refuse:
        raise MissingScoreError(f"not all samples can be compared: {_told_reasons(left_out)}")
    reasons = ", ".join(f"{number:,} with {reason}" for reason, number in left_out.items())
    session.notice(f"{counted(count, 'sample is', 'samples are')} left out: {reasons}")


def _told_options(matrix: ScoreMatrix) -> dict[str, Any]:
    """Return the options of the scorers as the record of a selection keeps them.

    Only of those whose identity does not tell all of them already.
    """
    told = {}
    for column in matrix.columns:
        recorded = RecordedOptions.from_dict(column.options)
        if recorded is not None and recorded.values != column.identity:
            told[column.name] = dict(column.options or {})
    return told


def _clustering(
    connection: Any, dataset: DatasetRow, name: str | int | None, *, needed: bool
) -> ClusteringRow | None:
    if name == NO_CLUSTERS:
        return None
    if isinstance(name, int):
        found = clusters.find(connection, dataset.id, clustering_id=name)
    else:
        found = clusters.find(connection, dataset.id, name=name)
    if found is None and name is not None:
        raise UsageError(f"{dataset.name} has no clustering called {name!r}")
    if found is None and needed:
        raise UsageError(
            f"{dataset.name} has no clusters yet: run `ig4 cluster` or `ig4 import-clusters` "
            "first, or choose without them: `--clusters none`"
        )
    return found


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
    session: Session, table: CandidateTable, rows: NDArray[np.int64]
) -> list[SelectionItem]:
    ids = table.sample_ids[rows].tolist()
    with session.store.reading() as connection:
        names = samples.external_ids(connection, ids)
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
