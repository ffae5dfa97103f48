"""What would have to change for a sample to get in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ig4.core.engine.selecting.explaining.explanation import Changes
from ig4.core.engine.selecting.explaining.rises import score_changes
from ig4.core.engine.selecting.explaining.sizes import size_that_takes

if TYPE_CHECKING:
    from ig4.core.engine.selecting.explaining.case import ExplainedDraft
    from ig4.core.engine.selecting.explaining.standing import Standing


def changes_of(
    case: ExplainedDraft, standing: Standing, row: int, details: Mapping[str, Any] | None
) -> Changes:
    """Return what would let a row in that the selector did not take.

    Nothing is guessed: every number was tried with the selector. Where it does not take the best
    by F(x), what it says itself is all that is told.
    """
    if case.draft.pool.size == 0:
        return Changes(("all places go to samples to keep: select more, or keep fewer",))
    if not standing.has_line:
        return Changes(_by_selector(case, details))
    changed = score_changes(case, standing, row) if standing.taken else ()
    told = [one.told for one in changed] or [f"no score would do: {_whole(standing)} gives none"]
    place = standing.place(row)
    size = size_that_takes(case, standing, row)
    if standing.counted_in == "data set":
        quota = None
        told += [f"a selection of {size:,} takes it (--size {size})"] if size else []
    else:
        quota = place
        more = f"; a selection of {size:,} takes it (--size {size})" if size else ""
        told.append(
            f"{_whole(standing)} would have to give {place:,}, not {standing.taken:,}{more}"
        )
    return Changes(tuple(told), changed, quota, size)


def _whole(standing: Standing) -> str:
    return f"its {standing.counted_in}"


def _by_selector(case: ExplainedDraft, details: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what is known of a selector that does not take the best by F(x)."""
    label = case.request.selector.label
    known = details or {}
    rejected = known.get("rejected_by")
    if isinstance(rejected, list) and rejected:
        return (f"what rejects it has to go: {'; '.join(map(str, rejected))}",)
    general = f"{label} does not take the best by F(x), so no score alone is known to be enough"
    if any(one is not None for one in known.values()):
        return (f"{general}; what it says of the sample is above",)
    return (f"{general}; it does not say why it takes a sample",)
