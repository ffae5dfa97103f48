"""Claims on batches: of one process each, free again when it has ended or is silent."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from ig4.storage import calls, claims, datasets, runs, scores, workers
from ig4.storage.claims import ClaimRow, Span
from ig4.storage.runs import ComponentRow


@pytest.fixture
def dataset(store):
    with store.writing() as connection:
        made = datasets.put(
            connection,
            "set",
            path="/data",
            format="llava",
            options={},
            image_root=None,
            header=None,
        )
        return made.id


@pytest.fixture
def component(store):
    row = ComponentRow("scorer", "length", "ig4", "1", {}, "f1")
    with store.writing() as connection:
        return runs.component_id(connection, row)


def put(store, dataset, worker, *spans):
    with store.writing() as connection:
        workers.record_heartbeat(connection, worker, "here", 7, None, 1)
        claims.put(connection, dataset, worker, spans)


def known(store, dataset):
    with store.reading() as connection:
        return sorted(claims.list_all(connection, dataset))


def test_a_claim_is_released_by_its_process_alone(store, dataset, component):
    first, second = Span(component, 0, 3), Span(component, 4, 7)
    put(store, dataset, "one", first, second)
    with store.writing() as connection:
        assert not claims.release(connection, dataset, "two", first)
        assert claims.release(connection, dataset, "one", first)
        assert not claims.release(connection, dataset, "one", first)
    assert known(store, dataset) == [ClaimRow(second, "one")]


def test_a_process_releases_all_of_its_own_and_nothing_else(store, dataset, component):
    put(store, dataset, "one", Span(component, 0, 3), Span(component, 4, 7))
    put(store, dataset, "two", Span(component, 8, 11))
    with store.writing() as connection:
        claims.release_all(connection, dataset, "one")
    assert known(store, dataset) == [ClaimRow(Span(component, 8, 11), "two")]


def test_claims_go_with_the_process_that_is_forgotten(store, dataset, component):
    put(store, dataset, "one", Span(component, 0, 3), Span(component, 4, 7))
    put(store, dataset, "two", Span(component, 8, 11))
    with store.writing() as connection:
        gone = [row for row in workers.list_all(connection) if row.id == "one"]
        assert workers.delete_gone(connection, gone) == {"one": 2}
    assert known(store, dataset) == [ClaimRow(Span(component, 8, 11), "two")]
    with store.reading() as connection:
        assert [row.id for row in workers.list_all(connection)] == ["two"]


def test_a_silent_process_loses_its_batches_but_not_what_it_may_be_paying_for(
    store, dataset, component
):
    put(store, dataset, "one", Span(component, 0, 3))
    asked = {
        "request_hash": "a",
        "provider": "p",
        "model": "m",
        "component_id": component,
        "run_id": None,
    }
    with store.writing() as connection:
        calls.claim(connection, "one", [asked])
        assert workers.release_batches(connection, workers.list_all(connection)) == {"one": 1}
    assert known(store, dataset) == []
    with store.reading() as connection:
        assert calls.lookup(connection, ["a"])["a"].worker == "one"
        assert [row.id for row in workers.list_all(connection)] == ["one"]


def test_one_that_beats_again_meanwhile_keeps_its_claims(store, dataset, component):
    put(store, dataset, "one", Span(component, 0, 3))
    with store.reading() as connection:
        read = workers.list_all(connection)
    with store.writing() as connection:
        workers.record_heartbeat(connection, "one", "here", 7, None, 2)
        assert workers.release_batches(connection, read) == {}
        assert workers.delete_gone(connection, read) == {}
    assert len(known(store, dataset)) == 1


def test_who_claims_waits_until_another_has_claimed(store, dataset, component):
    """Both look at what is claimed, and take it if nobody has."""
    both = threading.Barrier(2)
    span = Span(component, 0, 3)

    def take(worker):
        both.wait()
        with store.writing() as connection:
            claims.lock(connection, dataset)
            if not claims.list_all(connection, dataset):
                claims.put(connection, dataset, worker, [span])
                taken.append(worker)

    for _ in range(20):
        taken: list[str] = []
        threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 1
        with store.writing() as connection:
            claims.release_all(connection, dataset, taken[0])


def test_a_process_that_stops_while_it_claims_holds_up_the_others_for_a_while_only(
    store, dataset, component, monkeypatch
):
    if store.is_sqlite:
        pytest.skip("nobody can take the lock of a file from a process")
    monkeypatch.setattr(workers, "IDLE_SECONDS", 1)
    stopped, awake = threading.Event(), threading.Event()

    def stop():
        with store.writing() as connection:
            claims.lock(connection, dataset)
            stopped.set()
            awake.wait(30)
            claims.put(connection, dataset, "one", [Span(component, 0, 3)])

    def stop_and_fail():
        try:
            stop()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    errors: list[Exception] = []
    thread = threading.Thread(target=stop_and_fail)
    thread.start()
    stopped.wait(30)
    with store.writing() as connection:
        claims.lock(connection, dataset)
        claims.put(connection, dataset, "two", [Span(component, 0, 3)])
    awake.set()
    thread.join()
    assert [type(error).__name__ for error in errors] == ["ConnectionLostError"]
    assert known(store, dataset) == [ClaimRow(Span(component, 0, 3), "two")]


def test_claims_go_with_the_data_set(store, dataset, component):
    put(store, dataset, "one", Span(component, 0, 3))
    with store.writing() as connection:
        connection.execute(text("DELETE FROM datasets"))
    assert known(store, dataset) == []


def test_processes_that_store_the_same_rows_do_not_wait_for_each_other_without_end(
    store, component
):
    """Two data sets may have the same contents, in other orders."""
    with store.writing() as connection:
        for n in range(500):
            connection.execute(text("INSERT INTO contents (hash) VALUES (:n)"), {"n": str(n)})
        ids = connection.scalars(text("SELECT id FROM contents ORDER BY id")).all()
    rows = [(number, 1.0, None, None) for number in ids]

    def put_all(order):
        try:
            for _ in range(5):
                with store.writing() as connection:
                    scores.put(connection, component, None, order)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    errors: list[Exception] = []
    threads = [threading.Thread(target=put_all, args=(one,)) for one in (rows, rows[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
