"""A selection before it is stored: candidates, the stages of the funnel, and what is chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from ig4.core.contracts import Needs, Pool, Selector
from ig4.core.counts import counted, verb
from ig4.core.engine.pooling.furtherimages import further_images, image_spaces
from ig4.core.engine.pooling.pooldata import CountedScores, StoredPoolData
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.pooling.spacenames import all_parts
from ig4.core.engine.pooling.spaces import require_space
from ig4.core.engine.selecting.candidates import (
    CandidateTable,
    SelectionRequest,
    candidate_table,
    resolve_size,
)
from ig4.core.engine.selecting.funnel import (
    Stage,
    StageResult,
    check_stages,
    equal_rows,
    near_rows,
    rejected_rows,
)
from ig4.core.errors import PluginError, UsageError
from ig4.core.host.blame import blaming
from ig4.core.host.watch import open_named
from ig4.storage import samples, scorecolumns

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ig4.core.engine.selecting.columns import ScoreMatrix
    from ig4.core.engine.session import Session
    from ig4.core.records import Choice
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class PreparedSelection:
    """What a selector chooses from: the `pool` of the rows `left` of `table`, in its order.

    `left` (m,) are the rows of the table that the stages left; pinned rows are none of them. The
    selector is not asked yet.
    """

    table: CandidateTable
    left: NDArray[np.int64]
    pool: Pool
    selector: Selector
    stages: tuple[StageResult, ...]


@dataclass(frozen=True, slots=True)
class SelectionDraft(PreparedSelection):
    """What is chosen: `rows` (size,) of `table`: those that are pinned, then the best of `pool`."""

    rows: NDArray[np.int64]

    def quotas(self) -> NDArray[np.int64] | None:
        """Return the quota of the group of each row (size,), -1 of pinned ones; None if not dealt.

        Raises:
            PluginError: the selector gives other than a number for each row of the pool.
        """
        pinned = len(self.table.pinned)
        if pinned == len(self.rows):
            return None
        with blaming("the selector's quotas()"):
            dealt = self.selector.quotas(self.pool)
        if dealt is None:
            return None
        if np.shape(dealt) != (self.pool.n,):
            raise PluginError(
                f"the selector's quotas() must have a number for each of the {self.pool.n} rows of "
                f"the pool; they have the shape {np.shape(dealt)}"
            )
        own: NDArray[np.int64] = np.asarray(dealt)[np.searchsorted(self.left, self.rows[pinned:])]
        return np.concatenate([np.full(pinned, -1), own])


def all_needs(session: Session, request: SelectionRequest) -> Needs:
    """Return what the stages and the selector of a request need together.

    Raises:
        UsageError: an unknown selector or option.
    """
    needs = _required(session, request)
    for stage in request.stages:
        needs |= stage.needs()
    return needs


def _required(session: Session, request: SelectionRequest) -> Needs:
    """Return what a sample must have to be a candidate."""
    needs = _needs_of(session, request.selector)
    for stage in request.stages:
        needs |= stage.requires()
        if stage.selector is not None:
            needs |= _needs_of(session, stage.selector)
    return needs


def _needs_of(session: Session, choice: Choice) -> Needs:
    with blaming(f"selector {choice.label}"):
        return cast("Selector", session.host.build(choice)).needs()


def draft_selection(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    *,
    matrix: ScoreMatrix | None = None,
) -> SelectionDraft:
    """Choose samples, without storing them; `matrix` has the scores that count, if not all do.

    Raises:
        UsageError: there are too few candidates, or something that is needed is missing.
        MissingScoreError: samples lack a score and `missing` is "error".
        PluginError: a selector breaks its contract.
    """
    made = prepare_selection(session, dataset, request, matrix=matrix)
    rows = made.table.pinned
    if made.pool.size:
        chosen = chosen_rows(made.selector, request.selector.label, made.pool)
        rows = np.concatenate([rows, made.left[chosen]])
    return SelectionDraft(made.table, made.left, made.pool, made.selector, made.stages, rows)


def prepare_selection(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    *,
    matrix: ScoreMatrix | None = None,
) -> PreparedSelection:
    """Do all that comes before the selector: compare the samples, and run the stages.

    Raises:
        UsageError: there are too few candidates, or something that is needed is missing.
        MissingScoreError: samples lack a score and `missing` is "error".
        PluginError: a selector breaks its contract.
    """
    check_stages(request.stages)
    needs = _required(session, request)
    _require_columns(session, dataset, request, needs)
    table = candidate_table(session, dataset, request, needs, matrix=matrix)
    size = resolve_size(request, len(table.sample_ids), table.left_out)
    size -= _pinned(table, size)
    funnel = _Funnel(session, dataset, request, table)
    left = np.delete(np.arange(len(table.sample_ids)), table.pinned)
    results = []
    for number, stage in enumerate(request.stages, start=1):
        left, result = funnel.run(stage, left)
        session.notice(result.notice(number))
        results.append(result)
    if size > len(left):
        beside = " beside those that are kept" if len(table.pinned) else ""
        raise UsageError(
            f"cannot select {counted(size, 'sample')}{beside}: the stages of the selection leave "
            f"{len(left):,} of {len(table.sample_ids):,}; relax them, or select fewer"
        )
    selector = cast("Selector", session.configured(request.selector).component)
    label = request.selector.label
    pool = funnel.pool(left, selector.needs(), size, f"selector {label}")
    return PreparedSelection(table, left, pool, selector, tuple(results))


def _pinned(table: CandidateTable, size: int) -> int:
    """Return how many samples of a selection are pinned.

    Raises:
        UsageError: more than are to be selected.
    """
    count = len(table.pinned)
    if count > size:
        raise UsageError(
            f"{counted(count, 'sample')} {verb(count, 'is', 'are')} to be kept, and "
            f"{size:,} to be selected: select more, or keep fewer"
        )
    return count


def pool_settings(request: SelectionRequest, table: CandidateTable) -> PoolSettings:
    """Return the settings of a request's pools, with the clusters that it has chosen."""
    clustering = None if table.clustering is None else table.clustering.id
    return replace(request.pool, clustering=clustering)


def _require_columns(
    session: Session, dataset: DatasetRow, request: SelectionRequest, needs: Needs
) -> None:
    """Refuse to make a recipe's selection of other scores than its own.

    Raises:
        UsageError: scores that it ranks by are not there; names the command that computes them.
    """
    with session.store.reading() as connection:
        known = {row.name for row in scorecolumns.list_all(connection, dataset.id)}
    lacking = [name for name in request.uses if name not in known]
    missing = [
        name
        for name in dict.fromkeys((*request.requires, *lacking))
        if name not in known and (name in (*request.requires, *needs.columns) or not known)
    ]
    unused = [name for name in lacking if name not in missing]
    if missing:
        raise UsageError(
            f"the recipe {request.name} selects by {', '.join(missing)}, which {dataset.name} does "
            f"not have: run `ig4 run --dataset {dataset.name} --recipe {request.name}`, which "
            "computes what is missing, or `ig4 import-scores`"
        )
    if unused:
        session.notice(
            f"the recipe {request.name} also uses {', '.join(unused)}, which {dataset.name} does "
            f"not have, and selects without: `ig4 run --dataset {dataset.name} --recipe "
            f"{request.name}` computes what is missing"
        )


def chosen_rows(selector: Selector, label: str, pool: Pool) -> NDArray[np.int64]:
    """Return the rows of a pool that a selector chooses, best first.

    Raises:
        PluginError: it returns anything but `pool.size` distinct rows.
    """
    open_named(selector, label)
    try:
        with blaming(f"selector {label}"):
            rows = np.asarray(selector.choose(pool))
    finally:
        selector.close()
    _check(label, rows, pool.size, pool.n)
    return rows.astype(np.int64)


def selection_pool(
    session: Session,
    dataset: DatasetRow,
    request: SelectionRequest,
    table: CandidateTable,
    rows: NDArray[np.int64],
    needs: Needs,
    size: int,
    reader: str,
) -> Pool:
    """Return the pool of some candidates: `rows` (m,) int64 of a table."""
    own = table if len(rows) == len(table.sample_ids) else table.take(rows)
    data = StoredPoolData(
        session,
        dataset,
        pool_settings(request, own),
        own.sample_ids,
        own.contents,
        CountedScores(own.names, own.weights, own.raw, own.percent, own.final),
        own.labels,
        read=table.read,
    )
    return Pool(data, size=size, seed=request.seed, needs=needs, reader=reader)


@dataclass(frozen=True, slots=True)
class _Funnel:
    """The stages of a selection at work on the candidates of a data set."""

    session: Session
    dataset: DatasetRow
    request: SelectionRequest
    table: CandidateTable

    def pool(self, rows: NDArray[np.int64], needs: Needs, size: int, reader: str) -> Pool:
        """Return the pool of some candidates."""
        table, request = self.table, self.request
        return selection_pool(self.session, self.dataset, request, table, rows, needs, size, reader)

    def run(self, stage: Stage, left: NDArray[np.int64]) -> tuple[NDArray[np.int64], StageResult]:
        """Return the rows that a stage leaves, and what it did."""
        why = self._take(stage, left) if stage.do == "take" else self._leave_out(stage, left)
        out = np.fromiter(why, dtype=np.int64, count=len(why))
        kept = np.delete(left, out)
        ids = self.table.sample_ids[left]
        reasons = {int(ids[row]): text for row, text in why.items()}
        return kept, StageResult(stage, len(left), len(kept), reasons)

    def _leave_out(self, stage: Stage, left: NDArray[np.int64]) -> dict[int, str]:
        reader = f"the stage {stage.do}"
        if stage.do == "reject":
            return rejected_rows(stage, self.pool(left, stage.needs(), len(left), reader))
        equal = equal_rows(self.pool(left, Needs(), len(left), reader), self._namer(left))
        if not stage.spaces:
            return equal
        comparable = np.setdiff1d(self._with_vectors(stage, left), list(equal))
        near = self._near(stage, left[comparable], reader)
        return equal | {int(comparable[row]): why for row, why in near.items()}

    def _near(self, stage: Stage, own: NDArray[np.int64], reader: str) -> dict[int, str]:
        """Return which of some rows, that have vectors, are alike to another one, and why."""
        session, settings = self.session, self.request.pool
        pool = self.pool(own, stage.needs(), len(own), reader)
        seeing = image_spaces(session, self.dataset, stage.spaces, settings)
        further = further_images(
            session, self.dataset, [*seeing.values()], self.table.sample_ids[own], stage.line()
        )
        agree = None if further is None else further.agree
        near = near_rows(stage, pool, self._namer(own), agree)
        if near and len(seeing) == len(all_parts(stage.spaces)):
            session.notice(
                f"{', '.join(stage.spaces)} tells of images alone, so different conversations "
                "about one picture count as duplicates; a space of texts beside it keeps them"
            )
        return near

    def _with_vectors(self, stage: Stage, left: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places in `left` of samples with vectors in all spaces; tells of the others.

        Raises:
            UsageError: a space is not there; names the command that makes it.
        """
        ids, contents = self.table.sample_ids[left], self.table.contents[left]
        known = np.ones(len(left), dtype=bool)
        for space in stage.spaces:
            found = require_space(
                self.session, self.dataset, space, self.request.pool.embedders, ids, contents
            )
            known &= found.row_of >= 0
        without = int((~known).sum())
        if without:
            self.session.notice(
                f"{counted(without, 'sample has', 'samples have')} no vector in "
                f"{' or '.join(stage.spaces)}: only equal ones of them count as duplicates"
            )
        return np.flatnonzero(known)

    def _take(self, stage: Stage, left: NDArray[np.int64]) -> dict[int, str]:
        choice = stage.selector or self.request.selector
        size = stage.size or max(1, round((stage.fraction or 0) * len(left)))
        if size > len(left):
            raise UsageError(
                f"a stage takes {counted(size, 'sample')}, and {len(left):,} are left before it"
            )
        selector = cast("Selector", self.session.configured(choice).component)
        pool = self.pool(left, selector.needs(), size, f"selector {choice.label}")
        taken = chosen_rows(selector, choice.label, pool)
        for text in pool.told:
            self.session.notice(text)
        others = np.setdiff1d(np.arange(len(left)), taken)
        return dict.fromkeys(others.tolist(), f"{choice.label} did not take it")

    def _namer(self, left: NDArray[np.int64]) -> Callable[[int], str]:
        ids = self.table.sample_ids[left]
        known: dict[int, str] = {}

        def name(row: int) -> str:
            if row not in known:
                sample = int(ids[row])
                with self.session.store.reading() as connection:
                    known[row] = samples.external_ids(connection, [sample], self.dataset.id)[sample]
            return known[row]

        return name


def _check(label: str, rows: NDArray[np.int64], size: int, candidates: int) -> None:
    good = rows.ndim == 1 and np.issubdtype(rows.dtype, np.integer)
    distinct = np.unique(rows) if good else rows
    good = good and rows.shape == (size,) and len(distinct) == size
    if not good or (size and not 0 <= distinct[0] <= distinct[-1] < candidates):
        raise PluginError(
            f"selector {label} must return {size} distinct rows from 0 to {candidates - 1}; it "
            f"returned {rows.size}, of which {np.size(distinct)} differ"
        )
