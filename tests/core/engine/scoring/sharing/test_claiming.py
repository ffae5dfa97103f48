"""Batches that others have claimed are waited for, or taken over; none is stored twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import pytest
from sqlalchemy import text

from ig4.core.calls import worker
from ig4.core.calls.running.streaks import FailingError
from ig4.core.calls.settings import CallSettings
from ig4.core.calls.worker import this_process
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.events import BatchScored, StageAdvanced
from ig4.core.records import Choice
from ig4.storage import claims, scores, workers
from ig4.storage.claims import Span

from ....conftest import record
from .conftest import claims_left, times

SAMPLES = 12


@pytest.fixture
def dataset(folder, read):
    folder.write(*(record(f"s{n:02d}", "word " * n) for n in range(1, SAMPLES + 1)))
    return read().dataset


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def request_(log):
    return ScoreRequest([Choice("scorer", "tallied", {"log": str(log)})])


@pytest.fixture
def component(session, request_):
    """The id of the scorer's component."""
    return session.component_id(session.configured(request_.scorers[0]).fingerprint)


@pytest.fixture
def claim(session, dataset, component):
    """Claim units for another process, by default one of this machine that lives."""

    def _claim(first, last, pid=None, host=None, name="another"):
        own = this_process()
        with session.store.writing() as connection:
            number = os.getppid() if pid is None else pid
            started = worker._start_of(number) if host is None else "then"
            workers.record_heartbeat(connection, name, host or own.host, number, started, 1)
            claims.put(connection, dataset.id, name, [Span(component, first, last)])

    return _claim


def store_elsewhere(connection, component, names):
    """Store scores of some samples as another process would."""
    for name in names:
        connection.execute(
            text(
                "INSERT INTO scores (component_id, content_id, value) "
                "SELECT :component, content_id, -1 FROM samples WHERE external_id = :name"
            ),
            {"component": component, "name": name},
        )


def waiting(session):
    """Return what is set once the session waits for others."""

    def listen(event):
        if isinstance(event, StageAdvanced) and event.note.startswith("waits"):
            waits.set()

    waits = threading.Event()
    session.listeners = [*session.listeners, listen]
    return waits


def values(session):
    with session.store.reading() as connection:
        sql = "SELECT content_id, value, run_id FROM scores ORDER BY 1"
        return connection.execute(text(sql)).all()


def test_a_batch_that_another_process_computes_is_waited_for_and_not_computed(
    session, dataset, request_, component, claim, log
):
    claim(4, 7)

    def compute_elsewhere():
        """Store the batch as the other process would, once this one waits for it."""
        waits.wait(30)
        with session.store.writing() as connection:
            claims.release(connection, dataset.id, "another", Span(component, 4, 7))
            store_elsewhere(connection, component, ["s05", "s06", "s07", "s08"])

    waits = waiting(session)
    thread = threading.Thread(target=compute_elsewhere)
    thread.start()
    done = score(session, dataset, request_)
    thread.join()
    assert times(log) == {"s01,s02,s03,s04": 1, "s09,s10,s11,s12": 1}
    assert (done.done, done.others) == ({"tallied": SAMPLES}, {"tallied": 4})
    assert [value for _, value, _ in values(session)][4:8] == [-1] * 4


def test_a_name_stands_for_its_scorer_even_if_others_computed_everything(
    session, dataset, request_, component, claim, log
):
    claim(0, SAMPLES - 1)

    def compute_elsewhere():
        waits.wait(30)
        with session.store.writing() as connection:
            claims.release(connection, dataset.id, "another", Span(component, 0, SAMPLES - 1))
            store_elsewhere(connection, component, [f"s{n:02d}" for n in range(1, SAMPLES + 1)])

    waits = waiting(session)
    thread = threading.Thread(target=compute_elsewhere)
    thread.start()
    done = score(session, dataset, request_)
    thread.join()
    assert done.others == {"tallied": SAMPLES}
    with session.store.reading() as connection:
        assert scores.bindings(connection, dataset.id) == {"tallied": (component, False)}


def test_progress_counts_what_others_do_and_says_what_is_waited_for(
    session, dataset, request_, component, claim, log
):
    test_a_batch_that_another_process_computes_is_waited_for_and_not_computed(
        session, dataset, request_, component, claim, log
    )
    told = session.listeners[0].__self__
    advanced = [e for e in told if isinstance(e, StageAdvanced) and e.stage == "tallied"]
    assert sum(event.done for event in advanced) == SAMPLES
    notes = {event.note for event in advanced}
    assert {"waits for 1 batch that others compute", "4 by others"} <= notes


def test_batches_of_a_process_that_has_ended_are_taken_over(
    session, dataset, request_, claim, log, notices
):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    claim(4, 7, pid=process.pid)
    done = score(session, dataset, request_)
    assert set(times(log).values()) == {1}
    assert (done.done, done.others) == ({"tallied": SAMPLES}, {})
    assert claims_left(session.store.engine.url.database) == 0


@pytest.mark.parametrize("host", [None, "far away"])
def test_batches_of_a_process_that_is_silent_are_taken_over_wherever_it_is(
    session, dataset, request_, claim, log, notices, monkeypatch, host
):
    monkeypatch.setattr(worker, "SILENCE", 0.5)
    claim(4, 7, host=host)
    claim(8, 9, host=host, name="a third")  # a part of a batch, as with other options
    score(session, dataset, ScoreRequest([*request_.scorers]))
    assert set(times(log).values()) == {1}
    freed = [text for text in notices() if "another process" in text]
    assert len(freed) == 2
    why = "gives no sign of life" if host is None else "(has ended|gives no sign of life)"
    told = f"another process {why}: 1 batch that it had begun can be computed by others"
    assert all(re.fullmatch(told, text) for text in freed)


def test_what_was_computed_too_late_is_not_stored(session, dataset, request_, component, log):
    """While the first batch is computed, another process takes it over and stores it."""

    def take_over(event):
        if not isinstance(event, BatchScored) or event.component != "tallied" or taken:
            return
        taken.append(event)
        with session.store.writing() as connection:
            (row,) = claims.list_all(connection, dataset.id)
            connection.execute(text("UPDATE score_claims SET worker = 'another'"))
            first = row.span.first
            names = [f"s{n + 1:02d}" for n in range(first, first + 4)]
            store_elsewhere(connection, component, names)
            claims.release(connection, dataset.id, "another", row.span)

    taken: list[BatchScored] = []
    session.listeners = [*session.listeners, take_over]
    done = score(session, dataset, request_)
    assert len(taken) == 1
    assert set(times(log).values()) == {1}
    assert done.others == {"tallied": 4}
    found = values(session)
    assert len(found) == SAMPLES
    assert sum(value == -1 for _, value, _ in found) == 4
    assert claims_left(session.store.engine.url.database) == 0


def test_nothing_stays_claimed_after_a_failure(session, dataset, request_, log):
    def interrupt(event):
        if isinstance(event, BatchScored):
            raise KeyboardInterrupt

    listeners = session.listeners
    session.listeners = [*listeners, interrupt]
    with pytest.raises(KeyboardInterrupt):
        score(session, dataset, request_)
    session.listeners = listeners
    assert claims_left(session.store.engine.url.database) == 0


def test_batches_are_those_of_a_lone_run_whoever_has_begun(
    session, dataset, request_, component, log
):
    """Scores that are there, as another data set with the same contents may bring them."""
    with session.store.writing() as connection:
        store_elsewhere(connection, component, ["s02", "s06"])
    score(session, dataset, request_)
    assert times(log) == {"s01,s03,s04": 1, "s05,s07,s08": 1, "s09,s10,s11,s12": 1}


def test_a_component_that_is_stopped_leaves_what_it_has_claimed_to_others(
    session, folder, read, tmp_path
):
    folder.write(*(record(f"s{n:02d}", "refuse " * (n + 1)) for n in range(40)))
    dataset = read().dataset
    claimed: list[list[int]] = []

    def look(event):
        if isinstance(event, BatchScored) and event.component == "others":
            with session.store.reading() as connection:
                rows = claims.list_all(connection, dataset.id)
            claimed.append([row.span.component_id for row in rows])

    session.listeners = [*session.listeners, look]
    options = {"log": str(tmp_path / "log"), "batch": 2}
    choices = [
        Choice("scorer", "tallied", options),
        Choice("scorer", "batched", {"log": str(tmp_path / "more"), "batch": 2}, "others"),
    ]
    request = ScoreRequest(choices, call_settings=CallSettings(stop_after=16))
    with pytest.raises(FailingError):
        score(session, dataset, request)
    stopped = session.component_id(session.configured(choices[0]).fingerprint)
    assert len(times(tmp_path / "log")) < 20
    assert any(stopped in ids for ids in claimed)
    assert stopped not in claimed[-1]
