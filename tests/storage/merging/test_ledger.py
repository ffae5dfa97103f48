"""The ledger in a merge: every reply that was paid for is there once, and no failure hides one."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from ig4.storage import batches, calls
from ig4.storage.calls import CallOutcome
from ig4.storage.integrity.check import check_database
from ig4.storage.merging.merge import merge
from ig4.storage.schema import LlmBatch, LlmCall
from ig4.storage.store import Store


@pytest.fixture
def other(tmp_path):
    with Store.open(tmp_path / "other.db") as store:
        yield store


def call(name):
    return {
        "request_hash": name,
        "provider": "test",
        "model": "m",
        "component_id": None,
        "run_id": None,
    }


def paid(store, name, reply, *, state=calls.DONE, cost=0.25):
    """Put a request with its reply into the ledger."""
    with store.writing() as connection:
        calls.claim(connection, "w", [call(name)])
        error = None if reply is not None else "no answer"
        calls.record(
            connection, [CallOutcome(name, state, reply, "stop", error, 10, 0, 5, cost, 1.0)]
        )


def replies(store):
    with store.reading() as connection:
        rows = connection.execute(
            select(LlmCall.request_hash, LlmCall.state, LlmCall.reply).order_by(LlmCall.id)
        )
        return {name: (state, reply) for name, state, reply in rows}


def cost(store):
    with store.reading() as connection:
        return connection.scalar(text("SELECT sum(cost) FROM llm_calls"))


def take(store, other, **more):
    result = merge(store, other.location, **more)
    assert check_database(store.engine.url.render_as_string(hide_password=False)).sound
    return result


def test_replies_are_taken_over_with_what_they_cost(store, other):
    paid(other, "a" * 64, "87")
    paid(store, "b" * 64, "12")
    result = take(store, other)
    assert replies(store) == {"b" * 64: ("done", "12"), "a" * 64: ("done", "87")}
    assert cost(store) == 0.5
    assert result.tables["llm_calls"].taken == 1


def test_a_reply_is_taken_over_once(store, other):
    paid(other, "a" * 64, "87")
    take(store, other)
    result = take(store, other)
    assert result.total("changes") == 0
    assert cost(store) == 0.25


def test_a_reply_that_is_here_stays(store, other):
    paid(other, "a" * 64, "87")
    paid(store, "a" * 64, "12")
    result = take(store, other)
    assert replies(store) == {"a" * 64: ("done", "12")}
    assert result.tables["llm_calls"].conflicts == 1


def test_a_reply_takes_the_place_of_a_failed_request(store, other):
    paid(other, "a" * 64, "87")
    paid(store, "a" * 64, None, state=calls.FAILED, cost=None)
    result = take(store, other)
    assert replies(store) == {"a" * 64: ("done", "87")}
    assert result.tables["llm_calls"].replaced == 1


def test_a_reply_that_cannot_be_read_gives_way_and_still_counts(store, other):
    paid(other, "a" * 64, "87")
    paid(store, "a" * 64, "maybe", state=calls.UNREADABLE)
    take(store, other)
    assert replies(store)["a" * 64] == ("done", "87")
    assert cost(store) == 0.5
    assert take(store, other).total("changes") == 0


def test_a_failure_hides_no_reply(store, other):
    paid(other, "a" * 64, None, state=calls.FAILED, cost=None)
    paid(store, "a" * 64, "87")
    take(store, other)
    assert replies(store) == {"a" * 64: ("done", "87")}


def test_a_request_that_is_on_its_way_elsewhere_is_left_to_its_process(store, other):
    with other.writing() as connection:
        calls.claim(connection, "w", [call("a" * 64)])
    result = take(store, other)
    assert replies(store) == {}
    assert result.tables["llm_calls"].left_out == 1


def test_archived_replies_are_taken_over_once(store, other):
    paid(other, "a" * 64, "maybe", state=calls.UNREADABLE)
    with other.writing() as connection:
        calls.claim(connection, "w", [call("a" * 64)], renew=True)
        calls.record(connection, [CallOutcome("a" * 64, calls.DONE, "87", cost=0.5)])
    paid(store, "b" * 64, "12")
    take(store, other)
    assert cost(store) == 1.0
    result = take(store, other)
    assert result.total("changes") == 0
    assert cost(store) == 1.0


def test_a_plan_of_a_merge_counts_the_same(store, other):
    paid(other, "a" * 64, "87")
    paid(store, "b" * 64, None, state=calls.FAILED, cost=None)
    paid(other, "b" * 64, "12")
    plan = merge(store, other.location, dry_run=True)
    assert replies(store) == {"b" * 64: ("failed", None)}
    assert plan.tables == take(store, other).tables


def test_requests_in_a_batch_come_with_it(store, other):
    with other.writing() as connection:
        connection.execute(
            LlmBatch.__table__.insert().values(
                key="k", provider="test", model="m", remote_id="r", state="submitted", requests=1,
                created_at=batches.now(),
            )
        )  # fmt: skip
        calls.claim(connection, "w", [call("a" * 64)])
        connection.execute(
            text("UPDATE llm_calls SET state = 'batch', batch_id = 1, worker = NULL")
        )
    paid(store, "b" * 64, "12")
    take(store, other)
    with store.reading() as connection:
        rows = connection.execute(
            select(LlmCall.state, LlmBatch.remote_id).join(
                LlmBatch, LlmBatch.id == LlmCall.batch_id
            )
        ).all()
    assert rows == [("batch", "r")]
    assert take(store, other).total("changes") == 0


def in_batch(store, name, key, *, cost=0.5):
    """Put a request into a batch that lies with a service."""
    with store.writing() as connection:
        number, _ = batches.prepare(connection, "w", key, [call(name) | {"cost": cost}])
        batches.mark_submitted(connection, number, f"remote {key}")


def test_a_reply_takes_the_place_of_a_request_that_is_on_its_way(store, other):
    paid(other, "a" * 64, "87")
    with store.writing() as connection:
        calls.claim(connection, "w", [call("a" * 64)])
    result = take(store, other)
    assert replies(store) == {"a" * 64: ("done", "87")}
    assert result.tables["llm_calls"].replaced == 1
    with store.writing() as connection:
        assert calls.claim(connection, "v", [call("a" * 64)])["a" * 64].reply == "87"


@pytest.mark.parametrize("late", [calls.DONE, calls.FAILED])
def test_who_was_at_work_on_a_request_records_beside_the_reply_that_came(store, other, late):
    paid(other, "a" * 64, "87")
    with store.writing() as connection:
        calls.claim(connection, "w", [call("a" * 64)])
    take(store, other)
    reply = "12" if late == calls.DONE else None
    outcome = CallOutcome("a" * 64, late, reply, cost=0.5 if reply else None)
    for _ in range(2):  # again where the connection broke
        with store.writing() as connection:
            calls.record(connection, [outcome])
    assert replies(store)["a" * 64] == ("done", "87")
    assert cost(store) == (0.75 if reply else 0.25)
    assert take(store, other).total("changes") == 0


def test_a_reply_takes_the_place_of_a_request_in_a_batch_that_still_counts(store, other):
    paid(other, "a" * 64, "87")
    in_batch(store, "a" * 64, "mine")
    result = take(store, other)
    assert replies(store)["a" * 64] == ("done", "87")
    assert result.tables["llm_calls"].replaced == 1
    with store.reading() as connection:
        assert batches.pending_hashes(connection, 1) == set()
        (total,) = calls.sum_costs(connection, "model")
        assert (total.cost, total.lost, total.lost_cost) == (0.25, 1, 0.5)
    assert take(store, other).total("changes") == 0


def test_a_batch_that_was_fetched_elsewhere_is_paid_for_once(store, other):
    in_batch(other, "a" * 64, "theirs")
    take(store, other)
    with other.writing() as connection:
        calls.record(connection, [CallOutcome("a" * 64, calls.DONE, "87", cost=0.25)])
    take(store, other)
    assert replies(store) == {"a" * 64: ("done", "87")}
    assert cost(store) == 0.25
