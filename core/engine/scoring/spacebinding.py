"""What the names of spaces stand for once their vectors are there, and how many are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ig4.core.contracts import PoolEmbedder
from ig4.core.engine.pooling.spaces import count_failed, space_vectors
from ig4.core.host.recording import recorded_options
from ig4.storage import spaces

if TYPE_CHECKING:
    from ig4.core.engine.scoring.plan import ScoreRequest, ScoringPlan
    from ig4.core.engine.session import ConfiguredComponent, Session


def bind_spaces(session: Session, plan: ScoringPlan, request: ScoreRequest) -> None:
    """Let names stand for the embedders of a plan, whose vectors are in the store by now.

    An embedder that a scorer reads is known by its name too, the last one, unless the name stands
    for imported vectors, or for an embedder that was asked for by its name: only of these the
    options are recorded.
    """
    with session.store.reading() as connection:
        known = {row.name: row for row in spaces.list_all(connection, plan.dataset.id)}
    for name, configured in plan.spaces.items():
        options = recorded_options(configured.component)
        row = known.get(name)
        same = row is not None and row.fingerprint == configured.fingerprint.value
        if row is None or not same or row.options != options:
            _bind(session, plan, name, configured, options)
    for one in plan.embedders.values():
        name, configured = one.configured.label, one.configured
        row = known.get(name)
        kept = row is not None and (row.imported or row.options is not None)
        same = row is not None and row.fingerprint == configured.fingerprint.value
        if name not in plan.spaces and not kept and not same:
            _bind(session, plan, name, configured, None)
    choices = {choice.label: choice for choice in request.spaces}
    for name, configured in plan.spaces.items():
        if isinstance(configured.component, PoolEmbedder) and len(plan.sample_ids):
            # So that its vectors are there when they are first asked for.
            space_vectors(session, plan.dataset, name, choices, plan.sample_ids, plan.contents)


def failures_by_space(session: Session, plan: ScoringPlan) -> Mapping[str, int]:
    """Return by space how many samples have an input that could not be embedded."""
    return {
        name: count_failed(session, plan.dataset, name, configured, plan.sample_ids, plan.contents)
        for name, configured in plan.spaces.items()
    }


def _bind(
    session: Session,
    plan: ScoringPlan,
    name: str,
    configured: ConfiguredComponent,
    options: Mapping[str, Any] | None,
) -> None:
    component = session.component_id(configured.fingerprint)
    with session.store.writing() as connection:
        spaces.bind(connection, plan.dataset.id, name, component, options=options)
