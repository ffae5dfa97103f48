"""What can only be computed as a whole is computed by one process; the others wait for it."""

from __future__ import annotations

import os
import threading

import pytest

from ig4.core.calls import worker
from ig4.core.calls.worker import this_process
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.scoring.sharing.claiming import whole_component
from ig4.core.events import StageStarted
from ig4.core.records import Choice
from ig4.storage import claims, workers
from ig4.storage.claims import Span

from ....conftest import record
from .conftest import claims_left


@pytest.fixture
def dataset(folder, read):
    folder.write(*(record(f"s{n}", "word " * n) for n in range(1, 9)))
    return read().dataset


@pytest.fixture
def component(session):
    choice = Choice("scorer", "tallied", {"log": ""})
    return session.component_id(session.configured(choice).fingerprint)


def test_a_component_that_another_process_has_a_part_of_is_waited_for(session, dataset, component):
    own = this_process()
    span = Span(component, 4, 7)
    with session.store.writing() as connection:
        started = worker._start_of(os.getppid())
        workers.record_heartbeat(connection, "another", own.host, os.getppid(), started, 1)
        claims.put(connection, dataset.id, "another", [span])
    released = []

    def release():
        with session.store.writing() as connection:
            released.append(claims.release(connection, dataset.id, "another", span))

    timer = threading.Timer(0.3, release)
    timer.start()
    with whole_component(session, dataset.id, component):
        assert released == [True]
        with session.store.reading() as connection:
            (row,) = claims.list_all(connection, dataset.id)
        assert row.worker == own.id
        assert row.span.first == 0
        assert row.span.last > 10**12
    timer.join()
    assert claims_left(session.store.engine.url.database) == 0


def test_nothing_stays_claimed_when_it_fails(session, dataset, component):
    with pytest.raises(RuntimeError), whole_component(session, dataset.id, component):
        raise RuntimeError("it fails")
    assert claims_left(session.store.engine.url.database) == 0


def test_a_pool_scorer_is_claimed_while_it_computes(session, dataset):
    """Looked at when the stage begins, at which the claim is there already."""
    seen = []

    def look(event):
        if isinstance(event, StageStarted) and event.stage == "ending-in-pool":
            seen.append(claims_left(session.store.engine.url.database))

    session.listeners = [*session.listeners, look]
    score(session, dataset, ScoreRequest([Choice("scorer", "ending-in-pool")]))
    assert seen == [1]
    assert claims_left(session.store.engine.url.database) == 0
