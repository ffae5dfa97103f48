"""Why a sample was selected or not: what it says, its scores, its neighbours, and the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.candidates import SelectionRequest
from ig4.core.engine.selecting.columns import read_matrix
from ig4.core.engine.selecting.draft import SelectionDraft, draft_selection
from ig4.core.engine.selecting.explaining.case import ExplainedDraft
from ig4.core.engine.selecting.explaining.changes import changes_of
from ig4.core.engine.selecting.explaining.explanation import Explanation
from ig4.core.engine.selecting.explaining.leftout import (
    left_out,
    stage_changes,
    stage_reason,
    stage_that_left_out,
)
from ig4.core.engine.selecting.explaining.neighbours import neighbourhood
from ig4.core.engine.selecting.explaining.reasons import plain_json, with_ids
from ig4.core.engine.selecting.explaining.recorded import recorded_columns, recorded_request
from ig4.core.engine.selecting.explaining.standing import standing_of
from ig4.core.engine.selecting.explaining.texts import shown_sample
from ig4.core.errors import UnknownNameError
from ig4.core.host.blame import blaming
from ig4.core.texts import sanitize
from ig4.storage import membership, samples, selections

if TYPE_CHECKING:
    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.selections import SelectionItem, SelectionRow

__all__ = [
    "Explanation",
    "explain",
    "explain_last",
    "explain_selection",
    "plain_json",
    "recorded_columns",
    "recorded_request",
    "with_ids",
]

_SHOWN = 80  # characters of an id that is not known


def explain(
    session: Session, dataset: DatasetRow, request: SelectionRequest, external_id: str
) -> Explanation:
    """Explain what `select` with the same request does with one sample.

    Raises:
        DatasetError: the data set holds no such sample.
        UsageError: as `select`.
    """
    found = _find(session, dataset, external_id)
    draft = draft_selection(session, dataset, request)
    return _explain(ExplainedDraft(session, dataset, request, draft), external_id, found)


def explain_last(
    session: Session, dataset: DatasetRow, request: SelectionRequest, external_id: str
) -> Explanation:
    """Explain what the last selection of a data set did with one sample, by its own settings.

    Where there is no selection yet, what `select` with `request` does; which it is, is told.

    Raises:
        DatasetError: the data set holds no such sample, or the scores or clusters are gone that
            the selection was made by.
        UsageError: as `select`.
    """
    with session.store.reading() as connection:
        last = selections.last(connection, dataset.id)
    if last is None:
        session.notice(
            f"{dataset.name} has no selection yet: this is what `ig4 select` would do by default"
        )
        return explain(session, dataset, request, external_id)
    return explain_selection(session, dataset, last, request.pool, external_id)


def explain_selection(
    session: Session,
    dataset: DatasetRow,
    selection: SelectionRow,
    pool: PoolSettings,
    external_id: str,
) -> Explanation:
    """Explain what a stored selection did with one sample, by the selection's own settings.

    `pool` says what names of spaces and groups stand for.

    Raises:
        DatasetError, UsageError: as `explain_last`.
    """
    found = _find(session, dataset, external_id)
    request = recorded_request(selection, pool)
    with session.store.reading() as connection:
        _, contents = samples.ordered_ids(connection, dataset.id)
        chosen = {one.sample_id: one for one in selections.samples(connection, selection.id)}
    columns = recorded_columns(session, selection)
    matrix = read_matrix(session, columns, contents) if columns else None
    draft = draft_selection(session, dataset, request, matrix=matrix)
    told = _explain(ExplainedDraft(session, dataset, request, draft), external_id, found)
    item = chosen.get(found[0])
    if _has_changed(draft, list(chosen.values())):
        session.notice(
            f"scores, clusters or samples of {dataset.name} have changed since selection "
            f"{selection.id}: whether {external_id} is in it is as it was, the numbers are of today"
        )
    return replace(
        told,
        selected=item is not None,
        rank=None if item is None else item.rank,
        selection=selection.id,
        settings=dict(selection.config),
        changes=None if item is not None else told.changes,
    )


def _has_changed(draft: SelectionDraft, chosen: Sequence[SelectionItem]) -> bool:
    """Tell whether a selection would be another one today."""
    table, rows = draft.table, draft.rows
    scores = [_number(value) if table.names else None for value in table.final[rows].tolist()]
    today = list(zip(table.sample_ids[rows].tolist(), scores, strict=True))
    return today != [(one.sample_id, one.final_score) for one in chosen]


def _number(value: float) -> float | None:
    """Return a score as JSON has it: None where a sample has none."""
    return None if np.isnan(value) else float(value)


def _find(session: Session, dataset: DatasetRow, external_id: str) -> tuple[int, int]:
    """Return the sample id and the content id of a sample.

    Raises:
        UnknownNameError: the data set holds no such sample.
    """
    with session.store.reading() as connection:
        found = samples.find_ids(connection, dataset.id, [external_id]).get(external_id)
    if found is None:
        told = f"{dataset.name} holds no sample {sanitize(external_id)[:_SHOWN]!r}"
        raise UnknownNameError(f"{told}{_advice(session, dataset, external_id)}")
    return found


def _advice(session: Session, dataset: DatasetRow, external_id: str) -> str:
    """Return what the ids of a mixture look like, with those that may be meant."""
    if not dataset.is_mixture:
        return ""
    with session.store.reading() as connection:
        parts = membership.members(connection, dataset.id)
        wanted = {f"{part.name}/{external_id}": part for part in parts}
        known = samples.find_ids(connection, dataset.id, list(wanted))
    if known:
        return f": ids of a mixture are DATASET/ID, so it is {' or '.join(sorted(known))}"
    return f": ids of a mixture are DATASET/ID, as in {parts[0].name}/ID"


def _explain(case: ExplainedDraft, external_id: str, found: tuple[int, int]) -> Explanation:
    with case.session.store.reading() as connection:
        sample = shown_sample(connection, case.dataset, found[0])
    told = replace(_placed(case, external_id, found), sample=sample)
    return told if told.counted_in != "data set" else replace(told, counted_in=_deals_in(case))


def _deals_in(case: ExplainedDraft) -> str:
    """Return among what the selector deals, whatever sample is explained."""
    return "cluster" if case.draft.pool.needs.clusters else "data set"


def _placed(case: ExplainedDraft, external_id: str, found: tuple[int, int]) -> Explanation:
    """Return the explanation of a sample without its texts."""
    at = np.flatnonzero(case.table.sample_ids == found[0])
    if len(at) == 0:
        return left_out(case, external_id, found)
    row = int(at[0])
    known = _compared(case, external_id, row)
    if row in case.table.pinned:
        return replace(known, reason="kept: it is among the samples to keep, whatever they score")
    stage = stage_that_left_out(case, found[0])
    if stage is not None:
        reason = stage_reason(case, stage, found[0])
        return replace(known, reason=reason, changes=stage_changes(case, stage, row))
    details = _details(case, row)
    standing = standing_of(case.draft, row, details)
    last = standing.last_taken
    final = case.table.final
    return replace(
        known,
        members=len(standing.order),
        quota=standing.quota,
        place=standing.place(row) if case.draft.pool.sums_scores else None,
        distance=None if last is None else _number(final[row] - final[last]),
        details=details,
        counted_in=standing.counted_in,
        group=standing.group,
        neighbours=neighbourhood(case, standing, row),
        changes=None if known.selected else changes_of(case, standing, row, details),
    )


def _compared(case: ExplainedDraft, external_id: str, row: int) -> Explanation:
    """Return what a candidate has: its scores and its cluster, its rank if it is taken."""
    table = case.table
    rank = np.flatnonzero(case.draft.rows == row)
    return Explanation(
        id=external_id,
        selected=len(rank) > 0,
        rank=int(rank[0]) + 1 if len(rank) else None,
        final_score=_number(table.final[row]) if table.names else None,
        scores={
            name: {
                "value": _number(table.raw[row, n]),
                "percent": _number(table.percent[row, n]),
                "weight": float(table.weights[n]),
                "points": _number(table.percent[row, n] * table.weights[n]),
            }
            for n, name in enumerate(table.names)
        },
        cluster=int(table.labels[row]) if table.clustering else None,
        members=None,
        quota=None,
        place=None,
        distance=None,
    )


def _details(case: ExplainedDraft, row: int) -> Mapping[str, Any] | None:
    """Return what the selector itself says of a row."""
    in_pool = int(np.flatnonzero(case.draft.left == row)[0])
    with blaming("the selector's reasons()"):
        given = case.draft.selector.reasons(case.draft.pool, in_pool)
    return None if given is None else with_ids(plain_json(given), case.name_rows)
