"""Cancels a batch, with the service and the options of the scorer that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ig4.core.calls.request import CallError
from ig4.core.contracts import AsyncScorer
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage import batches, scores

if TYPE_CHECKING:
    from ig4.core.config import Config
    from ig4.core.engine.session import Session
    from ig4.storage.batches import BatchRow


async def cancel(session: Session, config: Config, number: int) -> str:
    """Ask the service to stop a batch; returns its id there.

    Raises:
        UsageError: there is no such batch, or it has ended.
        CallError: the service does not cancel it.
    """
    row = find_batch(session, number)
    if row.state not in (batches.PREPARING, batches.SUBMITTED):
        raise UsageError(f"batch {number} has ended already: {row.state}")
    if row.remote_id is None:
        raise UsageError(
            f"batch {number} may not have reached the service: run `ig4 score --batch` to find out"
        )
    provider = _build_scorer(session, config, row).provider()
    await provider.open()
    try:
        await provider.cancel(row.remote_id)
    except CallError as error:
        raise CallError(f"batch {number} could not be cancelled: {error}") from error
    finally:
        await provider.close()
    return row.remote_id


def find_batch(session: Session, number: int) -> BatchRow:
    """Return a batch by its number.

    Raises:
        UsageError: there is no such batch.
    """
    with session.store.reading() as connection:
        rows = {row.id: row for row in batches.list_all(connection)}
    if number not in rows:
        known = f"known: {', '.join(map(str, rows))}" if rows else "there are none"
        raise UsageError(f"there is no batch {number} ({known})")
    return rows[number]


def _build_scorer(session: Session, config: Config, row: BatchRow) -> AsyncScorer:
    """Build the scorer that made a batch, with its present options: address, key, time-out."""
    assert row.component_id is not None
    with session.store.reading() as connection:
        component = scores.component(connection, row.component_id)
        labels = scores.names_of_component(connection, row.component_id)
    name = f"{component['distribution']}/{component['name']}"
    labels = [label for label in labels if label in config.scorers] or labels
    choice = config.choice("scorer", labels[0]) if labels else Choice("scorer", name)
    return cast("AsyncScorer", session.host.build(choice))
