"""Gives a batch up at the user's word, so that its requests are sent, and perhaps paid, again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ig4.core.calls.batching.cancel import find_batch
from ig4.core.errors import UsageError
from ig4.storage import batches

if TYPE_CHECKING:
    from ig4.core.engine.session import Session


def give_up(session: Session, number: int, *, open_too: bool = False) -> int:
    """Free the requests of a lost batch; returns their number.

    With `open_too`, also those of a batch that the service may still be at work on.

    Raises:
        UsageError: there is no such batch, it has ended, or it is not lost.
    """
    row = find_batch(session, number)
    if row.state not in (batches.PREPARING, batches.SUBMITTED, batches.LOST):
        raise UsageError(f"batch {number} has ended already: {row.state}")
    if row.state != batches.LOST and not open_too:
        raise UsageError(
            f"batch {number} is not lost: the service may be at work on it, and then its requests "
            f"would be paid twice. Cancel it with `ig4 batch cancel {number}`; --yes sends them "
            "again nevertheless"
        )
    with session.store.writing(durable=True) as connection:
        return batches.give_up(connection, number)
