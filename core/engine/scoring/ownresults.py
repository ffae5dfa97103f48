"""Tells whether what a task brought is in the store already, stored by this very run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.engine.scoring.tasks import EmbedResult, EmbedTextResult
from ig4.storage import ownership

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.scoring.pending import PendingWork
    from ig4.core.engine.scoring.plan import ScoringPlan
    from ig4.core.engine.scoring.tasks import ScoreTaskResult


def component_of(plan: ScoringPlan, result: ScoreTaskResult) -> tuple[str, PendingWork]:
    """Return the label of the component that a result is of, and its work."""
    if isinstance(result, EmbedResult | EmbedTextResult):
        return result.embedder, plan.embedders[result.embedder]
    return result.scorer, plan.scorers[result.scorer]


def is_stored(
    connection: Connection, run_id: int | None, plan: ScoringPlan, result: ScoreTaskResult
) -> bool:
    """Tell whether all rows of a result are in the store, and this run has stored them.

    Then a transaction was committed whose acknowledgement never came.
    """
    if run_id is None:
        return False
    number = component_of(plan, result)[1].component_id
    if isinstance(result, EmbedResult):
        images = [image for image, _ in result.rows]
        return ownership.has_embeddings(connection, number, run_id, images)
    if isinstance(result, EmbedTextResult):
        digests = [digest for digest, _ in result.rows]
        return ownership.has_input_embeddings(connection, number, run_id, digests)
    contents = [row[0] for row in result.rows]
    return ownership.has_scores(connection, number, run_id, contents)
