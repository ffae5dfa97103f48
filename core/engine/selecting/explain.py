"""Why a sample was selected or not: its scores, percents, cluster, quota, and the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.algorithm import best_first, deal_quotas
from ig4.core.engine.selecting.candidates import (
    NO_CLUSTERS,
    NO_IMAGE,
    CandidateTable,
    SelectionRequest,
)
from ig4.core.engine.selecting.columns import read_matrix
from ig4.core.engine.selecting.draft import SelectionDraft, draft_selection
from ig4.core.engine.selecting.funnel import Stage
from ig4.core.engine.selecting.pins import VETO, recorded_pins
from ig4.core.errors import DatasetError, PluginError, UnknownNameError
from ig4.core.host.blame import blaming
from ig4.core.records import Choice
from ig4.core.texts import sanitize
from ig4.storage import membership, samples, scorecolumns, scores, selections

if TYPE_CHECKING:
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow
    from ig4.storage.selections import SelectionItem, SelectionRow


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sample before the selector.

    `scores` gives by scorer the raw value, the percent, the weight and their product. `cluster`
    is the one that it has, whether it counts or not. `counted_in` says among what the selector
    deals: "cluster", or "data set" for one that reads no clusters. `place` counts from 1 among the
    `members` of that, `quota` of which are taken; `distance` is F(x) minus the F of the last
    taken, negative for one that missed the line by that much; None, as `place`, where the selector
    does not decide by F(x). `details` is what the selector itself says of it. `selection` is the
    stored selection that is explained, and `settings` is what it was made by; None for one that
    was not stored.
    """

    id: str
    selected: bool
    rank: int | None
    final_score: float | None
    scores: dict[str, dict[str, float | str | None]]
    cluster: int | None
    members: int | None
    quota: int | None
    place: int | None
    distance: float | None
    reason: str | None = None
    selection: int | None = None
    settings: Mapping[str, Any] | None = None
    details: Mapping[str, Any] | None = None
    counted_in: str = "data set"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


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
    return _explain(session, dataset, draft, external_id, found)


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
    found = _find(session, dataset, external_id)
    request = replace(recorded_request(last), pool=request.pool)
    with session.store.reading() as connection:
        _, contents = samples.ordered_ids(connection, dataset.id)
        chosen = {one.sample_id: one for one in selections.samples(connection, last.id)}
    columns = recorded_columns(session, last)
    matrix = read_matrix(session, columns, contents) if columns else None
    draft = draft_selection(session, dataset, request, matrix=matrix)
    told = _explain(session, dataset, draft, external_id, found)
    item = chosen.get(found[0])
    rank = None if item is None else item.rank
    if _has_changed(draft, list(chosen.values())):
        session.notice(
            f"scores, clusters or samples of {dataset.name} have changed since selection "
            f"{last.id}: whether {external_id} is in it is as it was, the numbers are of today"
        )
    return replace(
        told, selected=item is not None, rank=rank, selection=last.id, settings=dict(last.config)
    )


def recorded_request(selection: SelectionRow) -> SelectionRequest:
    """Return the request that a selection was made by.

    Raises:
        DatasetError: its clusters are no longer there.
    """
    config = selection.config
    stages = tuple(_recorded_stage(stage) for stage in config.get("stages", ()))
    if config["clustering"] is not None and selection.clustering_id is None:
        raise DatasetError(
            f"the clusters of selection {selection.id} ({config['clustering']}) are no longer "
            "there: select again, or give options (`ig4 select --help`) to explain another one"
        )
    selector = dict(config["selector"])
    return SelectionRequest(
        size=config["size"],
        fraction=config["fraction"],
        selector=Choice("selector", selector.pop("use"), selector),
        scorers=tuple(config["weights"]) or None,
        weights=config["weights"],
        scale=config["scale"],
        clustering=NO_CLUSTERS if selection.clustering_id is None else selection.clustering_id,
        missing="skip",
        seed=config["seed"],
        within=config.get("within"),
        combine=config.get("combine", "sum"),
        stages=stages,
        pins=recorded_pins(config),
    )


def _recorded_stage(stage: Mapping[str, Any]) -> Stage:
    """Return a stage as it was recorded."""
    known = dict(stage)
    selector = dict(known.pop("selector", None) or {})
    choice = Choice("selector", selector.pop("use"), selector) if selector else None
    tails = {name: (low, high) for name, (low, high) in known.pop("tails", {}).items()}
    return Stage(**known | {"tails": tails, "selector": choice,
                            "spaces": tuple(known.get("spaces", ()))})  # fmt: skip


def recorded_columns(session: Session, selection: SelectionRow) -> list[ScoreColumnRow]:
    """Return the columns that a selection counted.

    Raises:
        DatasetError: one is no longer there.
    """
    config = selection.config
    found = []
    with session.store.reading() as connection:
        now = {row.name: row for row in scorecolumns.list_all(connection, selection.dataset_id)}
        for name in config["weights"]:
            fingerprint = config["components"][name]
            options = config.get("options", {}).get(name)
            row = now.get(name)
            if row is None or row.fingerprint != fingerprint:
                row = scorecolumns.of_fingerprint(connection, name, fingerprint, options)
            elif options is not None:
                row = replace(row, options=options)
            known = row and scorecolumns.counts(connection, selection.dataset_id, row.component_id)
            if row is None or not (known and known.values):
                raise DatasetError(
                    f"the {name} scores that selection {selection.id} was made by are no longer "
                    "there: select again, or give options (`ig4 select --help`) to explain "
                    "another one"
                )
            found.append(row)
    return found


def _has_changed(draft: SelectionDraft, chosen: Sequence[SelectionItem]) -> bool:
    """Tell whether a selection would be another one today."""
    table, rows = draft.table, draft.rows
    scores = [_number(value) if table.names else None for value in table.final[rows].tolist()]
    today = list(zip(table.sample_ids[rows].tolist(), scores, strict=True))
    return today != [(one.sample_id, one.final_score) for one in chosen]


def _number(value: float) -> float | None:
    """Return a score as JSON has it: None where a sample has none."""
    return None if np.isnan(value) else float(value)


_SHOWN = 80


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


def _explain(
    session: Session,
    dataset: DatasetRow,
    draft: SelectionDraft,
    external_id: str,
    found: tuple[int, int],
) -> Explanation:
    table = draft.table
    at = np.flatnonzero(table.sample_ids == found[0])
    if len(at) == 0:
        left_out = _left_out(session, dataset, external_id, found, table)
        return replace(left_out, counted_in=_counted_in(draft))
    row = int(at[0])
    rank = np.flatnonzero(draft.rows == row)
    scored = bool(table.names)
    known = Explanation(
        id=external_id,
        selected=len(rank) > 0,
        rank=int(rank[0]) + 1 if len(rank) else None,
        final_score=_number(table.final[row]) if scored else None,
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
        counted_in=_counted_in(draft),
    )
    if row in table.pinned:
        return replace(known, reason="kept: it is among the samples to keep, whatever they score")
    stage = _stage_of(draft, found[0])
    if stage is not None:
        return replace(known, reason=stage)

    def name_rows(rows: list[int]) -> list[str]:
        if not all(0 <= one < len(draft.left) for one in rows):
            raise PluginError(
                f"the selector's reasons() name rows {rows}; the pool has {len(draft.left)}"
            )
        ids = table.sample_ids[draft.left[rows]].tolist()
        with session.store.reading() as connection:
            names = samples.external_ids(connection, ids, dataset.id)
        return [names[one] for one in ids]

    return _placed(known, draft, row, name_rows)


def _counted_in(draft: SelectionDraft) -> str:
    return "cluster" if draft.pool.needs.clusters else "data set"


def plain_json(value: Any) -> Any:
    """Return what a plugin gave as plain JSON: numbers of numpy as Python's, NaN as None."""
    if isinstance(value, Mapping):
        return {str(name): plain_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain_json(one) for one in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value if value is None else str(value)


def _stage_of(draft: SelectionDraft, sample_id: int) -> str | None:
    """Return which stage left a sample out, and why; None if none did."""
    for number, result in enumerate(draft.stages, start=1):
        if sample_id in result.reasons:
            return f"stage {number} ({result.stage.do}): {result.reasons[sample_id]}"
    return None


def with_ids(
    told: Mapping[str, Any], name_rows: Callable[[list[int]], list[str]]
) -> dict[str, Any]:
    """Return a selector's reasons with the ids of samples where they have rows of the pool.

    These are under keys that end in `_row` (one row or None) or `_rows` (a list of rows); what
    `name_rows` says of them goes under the key without that end.
    """
    found: dict[str, Any] = {}
    for key, value in told.items():
        if key.endswith("_row") and _is_row(value):
            found[key.removesuffix("_row")] = name_rows([value])[0]
        elif key.endswith("_row") and value is None:
            found[key.removesuffix("_row")] = None
        elif key.endswith("_rows") and isinstance(value, list) and all(map(_is_row, value)):
            found[key.removesuffix("_rows")] = name_rows(value) if value else []
        else:
            found[key] = value
    return found


def _is_row(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _placed(
    known: Explanation,
    draft: SelectionDraft,
    row: int,
    name_rows: Callable[[list[int]], list[str]],
) -> Explanation:
    """Add the place of a row among those that it competes with, and what the selector says."""
    table, pool = draft.table, draft.pool
    in_pool = int(np.flatnonzero(draft.left == row)[0])
    with blaming("the selector's reasons()"):
        given = draft.selector.reasons(pool, in_pool)
    details = None if given is None else with_ids(plain_json(given), name_rows)
    peers, quota = draft.left, pool.size
    if pool.needs.clusters:
        labels = table.labels[draft.left]
        values, counts = np.unique(labels, return_counts=True)
        own = values == table.labels[row]
        peers, quota = draft.left[labels == table.labels[row]], pool.size
        quota = int((details or {}).get("quota", deal_quotas(counts, pool.size)[own][0]))
    if not pool.sums_scores:
        return replace(known, members=len(peers), quota=quota, details=details)
    order = best_first(table.final, peers)
    line = float(table.final[order[quota - 1]]) if quota else None
    return replace(
        known,
        members=len(peers),
        quota=quota,
        place=int(np.flatnonzero(order == row)[0]) + 1,
        distance=None if line is None else _number(table.final[row] - line),
        details=details,
    )


def _left_out(
    session: Session,
    dataset: DatasetRow,
    external_id: str,
    found: tuple[int, int],
    table: CandidateTable,
) -> Explanation:
    sample_id, content = found
    report: dict[str, dict[str, float | str | None]] = {}
    with session.store.reading() as connection:
        for name, component_id in table.component_ids.items():
            value, error = scores.find(connection, component_id, content)
            report[name] = {"value": value, "error": error}
        unusable = sample_id in samples.ids_with_unusable_images(connection, dataset.id)
        (sample,) = samples.by_id(connection, [sample_id])
    lacking = [name for name, row in report.items() if row["value"] is None]
    others = [
        reason
        for reason, ids in table.lacking.items()
        if sample_id in ids and reason not in {f"no {name} score" for name in lacking}
    ]
    why = f"it has no {' and no '.join(lacking)} score" if lacking else f"it has {others[0]}"
    if sample.problem is not None:
        why = sample.problem
    elif unusable:
        why = f"it has {NO_IMAGE}"
    if sample_id in table.lacking.get(VETO, ()):
        why = f"it has {VETO}: it is among the samples to drop"
    return Explanation(
        id=external_id,
        selected=False,
        rank=None,
        final_score=None,
        scores=report,
        cluster=None,
        members=None,
        quota=None,
        place=None,
        distance=None,
        reason=f"left out: {why}",
    )
