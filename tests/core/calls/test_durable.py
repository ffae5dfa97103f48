"""What was paid for is on the disk: a power cut takes no reply, and no batch, away."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from ig4.core.calls.settings import CallSettings
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.records import Choice

from ..conftest import record

FULL = 2
"""SQLite's `synchronous` from which on a commit waits for the disk."""

PAID = (
    "INSERT INTO llm_calls",
    "UPDATE llm_calls",
    "INSERT INTO llm_batches",
    "UPDATE llm_batches",
)


@pytest.fixture
def levels(session):
    """How far the transactions that write to the ledger waited for the disk, as they ran."""
    seen = []

    def look(connection, cursor, statement, *_):
        if statement.startswith(PAID):
            asked = cursor.connection.execute("PRAGMA synchronous")
            seen.append(asked.fetchone()[0])

    event.listen(session.store.engine, "before_cursor_execute", look)
    return seen


@pytest.mark.parametrize("batch", [False, True])
def test_every_transaction_of_the_ledger_waits_for_the_disk(session, folder, read, levels, batch):
    folder.write(*(record(f"s{n}", "x" * (n + 1)) for n in range(5)))
    choice = Choice("scorer", "asking")
    settings = CallSettings(batch=batch, poll_seconds=0.01)
    done = score(session, read().dataset, ScoreRequest([choice], call_settings=settings))
    assert done.done == {"asking": 5}
    assert len(levels) > 1
    assert set(levels) == {FULL}
