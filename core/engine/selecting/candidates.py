"""Which samples a selection may choose from, and what it knows of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Needs
from ig4.core.counts import counted, verb
from ig4.core.engine.pooling.pooldata import ReadRecord
from ig4.core.engine.pooling.poolgroups import grouping_record, pool_groups
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.pooling.spaces import require_space
from ig4.core.engine.selecting.columns import ScoreMatrix, score_matrix
from ig4.core.engine.selecting.combining import combined
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.percent import percents
from ig4.core.engine.selecting.pins import VETO, PinRequest, pinned_samples
from ig4.core.engine.selecting.weights import resolve_weights
from ig4.core.errors import MissingScoreError, UsageError
from ig4.core.host.recording import RecordedOptions
from ig4.core.records import Choice
from ig4.core.suggest import did_you_mean
from ig4.storage import clusters, samples, scorecolumns, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.storage.clusters import ClusteringRow
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow

NO_IMAGE = "an image file that holds no image"
PROBLEM = "a problem that `ig4 ingest` named"
QUOTA = Choice("selector", "quota")

NO_CLUSTERS = "none"
"""The name that stands for no clusters: all samples are in one."""


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """What to select: exactly one of `size` and `fraction`; the rest has sane defaults.

    `clustering` is a name, of which the one used last is taken, or an id; NO_CLUSTERS puts all
    samples into one cluster. Scores are scaled `within` the groups of a grouper if one is named,
    and combined as `ig4.core.engine.selecting.combining` says. `groups` is the grouper by which the
    mix is told. `stages` come before the selector. `pool` says what names of spaces and groups
    stand for. `name` is that of the recipe, which `requires` columns by name, and `uses` others if
    they are there. `pins` are the samples that are selected, or no candidates, whatever they score.
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
    within: str | None = None
    combine: str = "sum"
    groups: str = "auto"
    stages: tuple[Stage, ...] = ()
    pool: PoolSettings = field(default_factory=PoolSettings)
    name: str | None = None
    requires: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    pins: PinRequest = field(default_factory=PinRequest)


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """Everything a selector decides on, a row for each candidate sample.

    `percent` (n, m) float64, `raw` (n, m) float64, `final` (n,) float64 (NaN where a score is
    missing that the selector can do without), `labels` (n,) int64,
    `sample_ids` and `contents` (n,) int64; `names` are the m scorers. `left_out` counts by
    reason the samples that are no candidates. `components` are fingerprints by scorer,
    `component_ids` their numbers, and `options` what the database has of their options. `lacking`
    has by reason the ids of the samples that are no candidates. `read` grows as its pools are read.
    `all_ids` and `all_contents` are of all samples of the data set. `pinned` (k,) are the rows that
    are selected whatever they score; they may lack anything.
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
    columns: Sequence[ScoreColumnRow] = ()
    lacking: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    read: ReadRecord = field(default_factory=ReadRecord)
    all_ids: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    all_contents: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    pinned: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def take(self, rows: NDArray[np.int64]) -> CandidateTable:
        """Return the table of some of its rows, none of which are pinned."""
        return replace(
            self,
            pinned=np.empty(0, dtype=np.int64),
            raw=self.raw[rows],
            percent=self.percent[rows],
            final=self.final[rows],
            labels=self.labels[rows],
            sample_ids=self.sample_ids[rows],
            contents=self.contents[rows],
        )


def resolve_size(
    request: SelectionRequest, candidates: int, left_out: Mapping[str, int] | None = None
) -> int:
    """Return how many samples to select; `left_out` counts by reason those that are no candidates.

    Raises:
        UsageError: neither or both of size and fraction, or out of range.
    """
    if request.size is not None and request.fraction is not None:
        raise UsageError(
            f"--size {request.size} and --fraction {request.fraction:g} are both given: leave one "
            "of them away"
        )
    if request.size is None and request.fraction is None:
        raise UsageError("say how many samples to select: --size 200 or --fraction 0.06")
    if request.fraction is not None:
        if not 0 < request.fraction <= 1:
            raise UsageError(f"--fraction {request.fraction:g} is not between 0 and 1")
    elif request.size is not None and request.size < 1:
        raise UsageError(f"--size {request.size}: select at least one sample")
    size = request.size or max(1, round((request.fraction or 0) * candidates))
    if size > candidates:
        why = _told_reasons(left_out or {})
        by_scores = any(reason.endswith(" score") for reason in left_out or {})
        advice = "; --scorers names the scorers to use" if by_scores else ""
        raise UsageError(
            f"cannot select {counted(size, 'sample')}: only {candidates:,} "
            f"{verb(candidates, 'has', 'have')} all that is needed to compare them"
            f"{f' ({why})' if why else ''}{advice}"
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
    needs: Needs,
    *,
    matrix: ScoreMatrix | None = None,
) -> CandidateTable:
    """Return scores, percents and clusters of a data set's samples, as far as they are needed.

    Where no scores are needed, and the request names none, none are read. `matrix` has the scores
    that count, by default those of the request.

    Raises:
        UsageError, MissingScoreError: as `select`.
    """
    everyone = _everyone(session, dataset, request, needs)
    if matrix is None:
        matrix = everyone.matrix()
    percent = everyone.percents(matrix)
    weights = resolve_weights(session, matrix.columns, request.weights)
    gaps = everyone.gaps(matrix)
    pinned, vetoed = everyone.pins()
    lacking = everyone.lacking(matrix, gaps)
    _tell_pinned(session, lacking, pinned)
    lacking = {reason: rows & ~pinned & ~vetoed for reason, rows in lacking.items()}
    lacking = {reason: rows for reason, rows in {VETO: vetoed, **lacking}.items() if rows.any()}
    kept = ~np.logical_or.reduce([np.zeros(len(percent), dtype=bool), *lacking.values()])
    left_out = {reason: int(rows.sum()) for reason, rows in lacking.items()}
    _tell_left_out(session, left_out, int((~kept).sum()), refuse=request.missing == "error")
    _tell_gaps(session, matrix.names, np.isnan(matrix.raw[kept & gaps & ~pinned]))
    percent = percent[kept]
    size = _wanted(request, len(percent))
    return CandidateTable(
        names=matrix.names,
        weights=weights,
        raw=matrix.raw[kept],
        percent=percent,
        final=_final(percent, weights, request.combine, size),
        labels=everyone.labels[kept],
        sample_ids=everyone.sample_ids[kept],
        contents=everyone.contents[kept],
        left_out=left_out,
        clustering=everyone.clustering,
        components={column.name: column.fingerprint for column in matrix.columns},
        component_ids={column.name: column.component_id for column in matrix.columns},
        options=_told_options(matrix),
        columns=matrix.columns,
        lacking={reason: everyone.sample_ids[rows] for reason, rows in lacking.items()},
        read=everyone.read,
        all_ids=everyone.sample_ids,
        all_contents=everyone.contents,
        pinned=np.flatnonzero(pinned[kept]),
    )


def _final(
    percent: NDArray[np.float64], weights: NDArray[np.float64], how: str, size: int
) -> NDArray[np.float64]:
    """Return the final scores (n,); NaN where one of the percents (n, m) is."""
    whole = ~np.isnan(percent).any(axis=1)
    final = np.full(len(percent), np.nan)
    final[whole] = combined(percent[whole], weights, how, size)
    return final


def _tell_gaps(session: Session, names: Sequence[str], missing: NDArray[np.bool_]) -> None:
    """Say which scores samples without an image lack, `missing` (g, m), and that they stay."""
    if len(missing):
        lacked = [names[n] for n in np.flatnonzero(np.logical_or.reduce(missing, axis=0)).tolist()]
        session.notice(
            f"{counted(len(missing), 'sample')} without an image "
            f"{verb(len(missing), 'has', 'have')} no {' or '.join(lacked)} score: the others decide"
        )


def _tell_pinned(
    session: Session, lacking: Mapping[str, NDArray[np.bool_]], pinned: NDArray[np.bool_]
) -> None:
    """Say what samples lack that are selected all the same."""
    found = {reason: int((rows & pinned).sum()) for reason, rows in lacking.items()}
    found = {reason: count for reason, count in found.items() if count}
    if found:
        session.notice(
            "of the samples to be kept, some would not be candidates, and are selected all the "
            f"same: {_told_reasons(found)}"
        )


def _wanted(request: SelectionRequest, candidates: int) -> int:
    """Return how many samples are wanted, as far as that can be told before it is checked."""
    return request.size or max(1, round((request.fraction or 0) * candidates))


def _everyone(
    session: Session, dataset: DatasetRow, request: SelectionRequest, needs: Needs
) -> _Everyone:
    """Read the samples of a data set, and their clusters if a request has any.

    Raises:
        UsageError: there are no clusters of the name, or none at all where they are needed.
    """
    with session.store.reading() as connection:
        sample_ids, contents = samples.ordered_ids(connection, dataset.id)
        unusable = np.isin(sample_ids, samples.ids_with_unusable_images(connection, dataset.id))
        faulty = np.isin(sample_ids, samples.ids_with_problems(connection, dataset.id))
        clustering = _clustering(connection, dataset, request.clustering, needed=needs.clusters)
        labels = (
            clusters.labels(connection, clustering.id, sample_ids)
            if clustering is not None
            else np.zeros(len(sample_ids), dtype=np.int64)
        )
    return _Everyone(
        session, dataset, request, needs, sample_ids, contents, unusable, faulty, clustering, labels
    )


@dataclass(frozen=True, slots=True)
class _Everyone:
    """All samples of a data set, before it is known which of them can be compared."""

    session: Session
    dataset: DatasetRow
    request: SelectionRequest
    needs: Needs
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    unusable: NDArray[np.bool_]
    faulty: NDArray[np.bool_]
    clustering: ClusteringRow | None
    labels: NDArray[np.int64]
    read: ReadRecord = field(default_factory=ReadRecord)

    def matrix(self) -> ScoreMatrix:
        """Return the scores that count by the request; none where none are needed."""
        request = self.request
        if not (self.needs.scores or request.scorers):
            return ScoreMatrix((), np.empty((len(self.contents), 0)))
        return score_matrix(
            self.session,
            self.dataset,
            self.contents,
            request.scorers,
            request.weights,
            beside=self.needs.optional_columns,
        )

    def percents(self, matrix: ScoreMatrix) -> NDArray[np.float64]:
        """Return the percents (n, m) of raw scores, within groups if that is asked for."""
        request = self.request
        if request.within is None or not matrix.names:
            return percents(self.session, matrix.columns, matrix.raw, request.scale)
        found = pool_groups(
            self.session,
            self.dataset,
            request.pool,
            request.within,
            self.sample_ids,
            self.contents,
        )
        self.read.groups[request.within] = grouping_record(request.pool, request.within, found)
        groups = found.groups
        labels = np.where(groups.labels < 0, len(groups.names), groups.labels)
        return percents(self.session, matrix.columns, matrix.raw, request.scale, labels)

    def pins(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which samples (n,) are to be selected, and which are not, whatever they score.

        Raises:
            UsageError: an id is unknown, or both.
        """
        found = pinned_samples(self.session, self.dataset, self.request.pins)
        return np.isin(self.sample_ids, found.keep), np.isin(self.sample_ids, found.drop)

    def gaps(self, matrix: ScoreMatrix) -> NDArray[np.bool_]:
        """Return which samples (n,) may stay without some of the scores that count.

        They have no image that a score could be about, and another score that does not need one.
        """
        missing = np.isnan(matrix.raw)
        if not self.needs.gaps or not missing.any():
            return np.zeros(len(missing), dtype=bool)
        with self.session.store.reading() as connection:
            shown = samples.ids_with_images(connection, self.dataset.id)
        some = missing.any(axis=1) & ~missing.all(axis=1)
        allowed: NDArray[np.bool_] = some & ~np.isin(self.sample_ids, shown) & ~self.faulty
        return allowed

    def lacking(self, matrix: ScoreMatrix, gaps: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """Return by reason the samples (n,) that lack what is needed: a score, vector, or image.

        Scores that samples with `gaps` (n,) have not are none of these.

        Raises:
            UsageError: nobody has it; names the command that makes it.
        """
        found = {
            f"no {name} score": np.isnan(matrix.raw[:, n]) & ~gaps
            for n, name in enumerate(matrix.names)
        }
        for name in self.needs.columns:
            if name not in matrix.names:
                found[f"no {name} score"] = np.isnan(self._column(name))
        for space in self.needs.all_spaces:
            vectors = require_space(
                self.session,
                self.dataset,
                space,
                self.request.pool.embedders,
                self.sample_ids,
                self.contents,
            )
            found[f"no vector in the space {space}"] = vectors.row_of < 0
        found[NO_IMAGE] = self.unusable
        if self.needs.clusters:
            found["no cluster"] = self.labels < 0
        # By sample, not by content: a good one may have the same texts and images, and its scores.
        found[PROBLEM] = self.faulty & ~np.isnan(matrix.raw).any(axis=1)
        return found

    def _column(self, name: str) -> NDArray[np.float64]:
        with self.session.store.reading() as connection:
            rows = {row.name: row for row in scorecolumns.list_all(connection, self.dataset.id)}
        if name not in rows:
            raise UsageError(
                f"{self.dataset.name} has no scores called {name!r}, which the selection reads: "
                f"run `ig4 score --scorers {name.partition('.')[0]}` or `ig4 import-scores` first"
                f"{did_you_mean(name, rows)}"
            )
        with self.session.store.reading() as connection:
            return scores.values(connection, rows[name].component_id, self.contents)


def _tell_left_out(
    session: Session, left_out: Mapping[str, int], count: int, *, refuse: bool
) -> None:
    """Say how many samples are left out, and why; or refuse to leave any out."""
    if not left_out:
        return
    lacking = {reason: number for reason, number in left_out.items() if reason != VETO}
    if refuse and lacking:
        raise MissingScoreError(f"not all samples can be compared: {_told_reasons(lacking)}")
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
