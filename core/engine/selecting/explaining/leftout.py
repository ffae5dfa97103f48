"""Why a sample is not among those that a selector chooses from, and what would let it in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.scoring.outputs import scorer_label
from ig4.core.engine.selecting.candidates import NO_IMAGE, PROBLEM
from ig4.core.engine.selecting.explaining.explanation import Changes, Explanation
from ig4.core.engine.selecting.explaining.repeats import repeated_rows
from ig4.core.engine.selecting.explaining.standing import standing_of
from ig4.core.engine.selecting.explaining.taking import rows_before, take_reasons
from ig4.core.engine.selecting.funnel import rejected_rows
from ig4.core.engine.selecting.percent import IMPORTED
from ig4.core.engine.selecting.pins import VETO
from ig4.storage import samples, scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.funnel import Stage

NO_VECTOR = "no vector in the space "
_SHOWN = 10  # ids of repeated samples in a sentence


def left_out(case: ExplainedDraft, external_id: str, found: tuple[int, int]) -> Explanation:
    """Explain a sample that is no candidate: it lacks something, or has a problem."""
    sample_id, content = found
    table = case.table
    report: dict[str, dict[str, float | str | None]] = {}
    with case.session.store.reading() as connection:
        for name, component_id in table.component_ids.items():
            value, error = scores.find(connection, component_id, content)
            report[name] = {"value": value, "error": error}
        (sample,) = samples.by_id(connection, [sample_id])
    lacking = [reason for reason, ids in table.lacking.items() if sample_id in ids]
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
        reason=f"left out: {_why(lacking, sample.problem)}",
        changes=Changes(_wanting(case, lacking, report, sample.problem)),
    )


def _why(lacking: list[str], problem: str | None) -> str:
    if VETO in lacking:
        return f"it has {VETO}: it is among the samples to drop"
    if problem is not None:
        return problem
    if NO_IMAGE in lacking:
        return f"it has {NO_IMAGE}"
    unscored = [one.removesuffix(" score") for one in lacking if one.endswith(" score")]
    return f"it has {' and '.join(unscored)} score" if unscored else f"it has {lacking[0]}"


def _wanting(
    case: ExplainedDraft,
    lacking: list[str],
    report: Mapping[str, Mapping[str, float | str | None]],
    problem: str | None,
) -> tuple[str, ...]:
    """Return what has to be there, or to go, of everything that a sample lacks."""
    if problem is not None and PROBLEM not in lacking:
        lacking = [*lacking, PROBLEM]
    errors = {f"no {name} score": row["error"] for name, row in report.items()}
    return tuple(_remedy(case, one, errors.get(one), problem) for one in lacking)


def _remedy(
    case: ExplainedDraft, lacking: str, error: float | str | None, problem: str | None
) -> str:
    if lacking == VETO:
        return "it has to go from the samples to drop (--drop, --drop-sql, or a stored pin)"
    if lacking == PROBLEM:
        return f"its problem has to go ({problem}): mend the record, then `ig4 ingest` again"
    if lacking == NO_IMAGE:
        return "its image file has to hold an image: replace it, then `ig4 ingest` again"
    if lacking == "no cluster":
        return "it needs a cluster: `ig4 cluster` or `ig4 import-clusters`"
    if lacking.startswith(NO_VECTOR):
        space = lacking.removeprefix(NO_VECTOR)
        return f"it needs a vector in the space {space}: `ig4 score --spaces {space}`"
    return _scored(case, lacking.removeprefix("no ").removesuffix(" score"), error)


def _scored(case: ExplainedDraft, name: str, error: float | str | None) -> str:
    column = next((one for one in case.table.columns if one.name == name), None)
    if column is not None and column.distribution == IMPORTED:
        return f"it needs a {name} score: `ig4 import-scores` a file that has one"
    label = name.partition(".")[0] if column is None else scorer_label(column)
    failed = f" (the last try failed: {error})" if error else ""
    return f"it needs a {name} score{failed}: `ig4 score --scorers {label} --retry-failed`"


def stage_that_left_out(case: ExplainedDraft, sample_id: int) -> int | None:
    """Return which stage, from 0, left a sample out; None if none did."""
    for number, result in enumerate(case.draft.stages):
        if sample_id in result.reasons:
            return number
    return None


def stage_reason(case: ExplainedDraft, number: int, sample_id: int) -> str:
    """Return which stage left a sample out, and why, in a sentence."""
    result = case.draft.stages[number]
    return f"stage {number + 1} ({result.stage.do}): {result.reasons[sample_id]}"


def stage_changes(case: ExplainedDraft, number: int, row: int) -> Changes:
    """Return what has to go for a row that a stage left out, and how far that would bring it."""
    stage = case.draft.stages[number].stage
    where = f"stage {number + 1} ({stage.do})"
    repeats: tuple[str, ...] = ()
    if stage.do == "reject":
        said = [f"{where} has to let it pass: {one}" for one in _tails(case, number, row, stage)]
    elif stage.do == "dedup":
        before = rows_before(case, number)
        repeats = tuple(case.ids(repeated_rows(case, stage, before, row).tolist()))
        why = case.draft.stages[number].reasons[int(case.table.sample_ids[row])]
        said = [f"{_repeated(repeats)}, or {where}: {why}"]
    else:
        said = [f"{where} has to take it: {one}" for one in take_reasons(case, number, row)]
    return Changes((*said, *_then(case, row)), repeats=repeats)


def _repeated(repeats: Sequence[str]) -> str:
    """Say that all has to go that a sample repeats, with their ids as far as there is room."""
    if len(repeats) < 2:
        return "what it repeats has to go"
    more = f" and {len(repeats) - _SHOWN:,} more" if len(repeats) > _SHOWN else ""
    return f"all that it repeats have to go ({', '.join(repeats[:_SHOWN])}{more})"


def _tails(case: ExplainedDraft, number: int, row: int, stage: Stage) -> list[str]:
    """Return every tail of a stage that a row lies in; the stage itself names the first."""
    rows = rows_before(case, number)
    at = int(np.flatnonzero(rows == row)[0])
    pool = case.pool(rows=rows, needs=stage.needs(), size=len(rows))
    found = (
        rejected_rows(replace(stage, tails={name: bounds}), pool).get(at)
        for name, bounds in stage.tails.items()
    )
    return [one for one in found if one is not None]


def _then(case: ExplainedDraft, row: int) -> list[str]:
    """Say how a row that a stage left out would stand to the line as it is now."""
    standing = standing_of(case.draft, row)
    last = standing.last_taken
    if last is None or np.isnan(case.table.final[row]):
        return []
    own, line = float(case.table.final[row]), float(case.table.final[last])
    side = "above" if own > line else "below"
    told = (
        f"then its final score, {own:.4f}, would count, which is {side} the line of its "
        f"{standing.counted_in} as it is now ({line:.4f})"
    )
    return [told]
