"""Scorers that ask services: every reply is paid once, kept at once, and never exceeds a limit."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager

import pytest
from sqlalchemy import text

from ig4.core.calls.prices import Price
from ig4.core.calls.request import ServiceError
from ig4.core.calls.settings import CallSettings
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.engine.session import Session
from ig4.core.records import Choice
from ig4.storage import connect
from ig4.storage.store import Store

from ...conftest import record

QUICK = CallSettings(concurrency=4, poll_seconds=0.01)


@pytest.fixture
def world(session):
    """The service, in this process."""
    session.host.load("scorer", "asking")
    return sys.modules["counting.service"].world


@pytest.fixture
def samples(folder, read):
    """Ingest samples with these answers."""

    def ingest(*answers):
        folder.write(*(record(f"s{n}", answer) for n, answer in enumerate(answers)))
        return read().dataset

    return ingest


def ask(session, dataset, call_settings=QUICK, model="free", repeats=1, **more):
    options = {"model": model, "repeats": repeats}
    return score(
        session,
        dataset,
        ScoreRequest([Choice("scorer", "asking", options)], call_settings=call_settings, **more),
    )


def outcomes(session):
    with session.store.reading() as connection:
        rows = connection.execute(text("SELECT external_id, value, error FROM scores_long"))
        return {name: value if error is None else error for name, value, error in rows}


def ledger(session, what="state"):
    with session.store.reading() as connection:
        return sorted(connection.scalars(text(f"SELECT {what} FROM llm_calls")).all())


def test_every_sample_is_rated_and_every_reply_kept(session, samples, world):
    dataset = samples("one", "three", "fifteen")
    done = ask(session, dataset)
    assert outcomes(session) == {"s0": 3.0, "s1": 5.0, "s2": 7.0}
    assert ledger(session) == ["done"] * 3
    assert (done.done, done.asked.calls, done.stopped) == ({"asking": 3}, 3, None)


def test_a_second_run_asks_nothing(session, samples, world):
    dataset = samples("one", "three")
    ask(session, dataset)
    assert ask(session, dataset).asked is None
    assert len(world.asked) == 2


def test_a_reply_in_the_ledger_is_read_again_if_its_score_was_lost(session, samples, world):
    dataset = samples("one", "three")
    ask(session, dataset)
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM scores"))
    done = ask(session, dataset)
    assert (done.done, done.asked.calls) == ({"asking": 2}, 0)
    assert outcomes(session) == {"s0": 3.0, "s1": 5.0}


def test_no_more_requests_than_allowed_are_on_their_way(session, samples, world):
    world.pause = 0.01
    ask(session, samples(*("x" * n for n in range(1, 40))))
    assert world.most == QUICK.concurrency


def test_a_request_that_fails_is_sent_again(session, samples, world):
    ask(session, samples("busy today"))
    assert outcomes(session) == {"s0": 10.0}
    assert len(world.asked) == 3


@pytest.mark.slow
def test_all_wait_as_long_as_the_service_asks_for(session, samples, world):
    ask(session, samples("limited", *("x" * n for n in range(1, 20))), CallSettings(concurrency=1))
    assert outcomes(session)["s0"] == 7.0
    assert world.asked[0] == "limited"
    assert world.times[1] - world.times[0] >= 0.5


def test_a_service_that_wants_nothing_for_hours_ends_the_run(session, samples, world):
    with pytest.raises(ServiceError, match=r"wants no request for 24\.0 hours"):
        ask(session, samples("come back tomorrow"))


def test_what_is_in_the_ledger_waits_for_no_limit(session, samples, world):
    dataset = samples(*("x" * n for n in range(1, 20)))
    ask(session, dataset)
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM scores"))
    began = time.perf_counter()
    ask(session, dataset, CallSettings(requests_per_minute=1))
    assert time.perf_counter() - began < 5
    assert len(outcomes(session)) == 19


def test_one_that_always_fails_is_an_error_and_costs_the_others_nothing(session, samples, world):
    done = ask(session, samples("one", "always busy", "reject me"), CallSettings(4, attempts=2))
    told = outcomes(session)
    assert told["s0"] == 3.0
    assert told["s1"] == "no reply in 2 tries: 503: busy"
    assert told["s2"] == "400: not this one"
    assert done.failed == {"asking": 2}


@pytest.mark.slow
def test_it_is_said_once_that_requests_fail_again_and_again(session, samples, world, notices):
    ask(session, samples(*(f"always busy {n}" for n in range(3))), CallSettings(4, attempts=4))
    told = [text for text in notices() if "tried again" in text]
    assert told == ["a request failed 3 times and is tried again: 503: busy"]


def test_a_service_that_never_answers_ends_the_run(session, samples, world):
    dataset = samples(*(f"always busy {n}" for n in range(30)))
    with pytest.raises(ServiceError, match="got no reply, the last: 503"):
        ask(session, dataset, CallSettings(4, attempts=1))
    assert len(world.asked) < 30


def test_a_wrong_key_stops_at_once_and_leaves_nothing_claimed(session, samples, world):
    dataset = samples(*(f"no key {n}" for n in range(100)))
    with pytest.raises(ServiceError, match="401"):
        ask(session, dataset)
    assert len(world.asked) <= 2 * QUICK.concurrency
    assert ledger(session) == []
    assert outcomes(session) == {}


def interrupt_soon(world):
    """Send Ctrl-C while the first requests are on their way."""
    world.pause = 0.3
    world.on_first = lambda: asyncio.get_running_loop().call_later(
        0.1, signal.raise_signal, signal.SIGINT
    )


def test_an_interrupt_waits_for_the_replies_that_are_on_their_way(session, samples, world, notices):
    dataset = samples(*("x" * n for n in range(1, 13)))
    interrupt_soon(world)
    with pytest.raises(KeyboardInterrupt):
        ask(session, dataset)
    assert len(world.asked) == QUICK.concurrency
    assert ledger(session) == ["done"] * QUICK.concurrency
    assert any("on their way, which may be paid for" in text for text in notices())
    world.pause = 0.0
    ask(session, dataset)
    assert len(world.asked) == len(set(world.asked)) == 12


def test_an_error_that_ends_a_run_loses_no_reply_that_is_on_its_way(session, samples, world):
    world.pause = 0.2
    with pytest.raises(ServiceError):
        ask(session, samples("no key", "one", "three", "seven"))
    assert ledger(session) == ["done"] * 3


def test_an_unreadable_reply_is_an_error_and_is_not_paid_again(session, samples, world):
    dataset = samples("garbage")
    ask(session, dataset)
    assert outcomes(session) == {"s0": "no number: I like it"}
    assert ledger(session) == ["unreadable"]
    with session.store.writing() as connection:
        connection.execute(text("DELETE FROM scores"))
    ask(session, dataset)
    assert len(world.asked) == 1


def test_retrying_asks_an_unreadable_reply_anew_and_keeps_what_the_first_cost(
    session, samples, world
):
    dataset = samples("garbage")
    ask(session, dataset, model="priced")
    ask(session, dataset, model="priced", retry_failed=True)
    assert len(world.asked) == 2
    assert ledger(session, "cost") == [1.0, 1.0]


def test_samples_that_say_the_same_are_asked_once(session, samples, world):
    ask(session, samples("one", "one", "one"))
    assert world.asked == ["one"]


@pytest.fixture
def alike(folder, read):
    """Samples of which the last five ask the same, for their answers are equal."""

    def ingest(last):
        answers = ["one", "two", *[last] * 5]
        folder.write(
            *(record(f"s{n}", a, instruction=f"What is {n}?") for n, a in enumerate(answers))
        )
        return read().dataset

    return ingest


@pytest.mark.slow
def test_those_who_wait_for_a_request_that_the_budget_stops_are_stopped_too(session, alike, world):
    world.pause = 0.05
    done = ask(session, alike("three"), CallSettings(4, max_calls=2))
    assert "--max-calls" in done.stopped
    assert (len(world.asked), ledger(session)) == (2, ["done"] * 2)


@pytest.mark.slow
def test_those_who_wait_for_a_request_that_a_defect_stops_go_on(session, alike, world):
    ask(session, alike("defect"), CallSettings(4))
    assert outcomes(session)["s2"] == "asking failed: KeyError: 'defect'"
    assert ledger(session) == ["done"] * 2


def test_a_reply_that_no_database_takes_as_it_is_is_kept_nevertheless(session, samples, world):
    dataset = samples("lone half", "one")
    ask(session, dataset)
    assert outcomes(session) == {"s0": "no number: \ufffd\ufffd", "s1": 3.0}
    assert ledger(session, "input_tokens") == [1, 10**9]


def test_repeats_are_asked_each(session, samples, world):
    ask(session, samples("one"), repeats=3)
    assert world.asked == ["one"] * 3


def test_a_notebook_whose_loop_runs_already_can_ask(session, samples, world):
    dataset = samples("one", "three")

    async def cell():
        return ask(session, dataset)

    assert asyncio.run(cell()).done == {"asking": 2}


@contextmanager
def locked(database, seconds):
    """Keep the write lock from another connection, from now on for so long."""
    with closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(seconds, other.rollback)
        timer.start()
        yield
        timer.join()


@pytest.mark.slow
def test_replies_are_kept_although_another_process_writes_for_longer_than_is_waited(
    session, samples, world, monkeypatch
):
    dataset = samples(*("x" * n for n in range(1, 9)))
    monkeypatch.setattr(connect, "BUSY_SECONDS", 0.1)
    world.on_first = lambda: stack.enter_context(locked(session.store.location, 1.5))
    with ExitStack() as stack, Store.open(session.store.location) as store:
        done = ask(Session(store, session.host), dataset)
    assert done.done == {"asking": 8}
    assert len(world.asked) == 8
    assert ledger(session) == ["done"] * 8


# Money


def test_money_spent_is_kept_by_call(session, samples, world):
    done = ask(session, samples("one", "three"), model="priced")
    assert done.asked.cost == {"asking": 2.0}
    assert ledger(session, "cost") == [1.0, 1.0]


def test_a_price_of_the_user_counts_before_the_one_that_is_known(session, samples, world):
    call_settings = CallSettings(prices={"priced": Price(input=5e6, output=1e6)})
    assert ask(session, samples("one"), call_settings, model="priced").asked.cost == {"asking": 6.0}


def test_what_has_no_price_is_counted_in_tokens(session, samples, world):
    ask(session, samples("one"))
    assert ledger(session, "cost") == [None]
    assert ledger(session, "input_tokens") == [1]


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 4, 50])
def test_a_run_never_spends_more_than_it_may_and_the_next_goes_on(
    session, samples, world, concurrency
):
    world.pause = 0.001
    dataset = samples(*("x" * n for n in range(1, 21)))
    done = ask(session, dataset, CallSettings(concurrency, max_cost=7.5), model="priced")
    assert done.asked.cost == {"asking": 7.0}
    assert "--max-cost" in done.stopped
    rest = ask(session, dataset, CallSettings(concurrency), model="priced")
    assert (rest.asked.calls, rest.stopped) == (13, None)
    assert len(set(world.asked)) == len(world.asked) == 20


def test_a_run_never_sends_more_requests_than_it_may(session, samples, world):
    world.pause = 0.001
    done = ask(session, samples(*("x" * n for n in range(1, 21))), CallSettings(8, max_calls=5))
    assert len(world.asked) == 5
    assert "--max-calls" in done.stopped


def test_money_cannot_be_limited_where_the_price_is_not_known(session, samples, world):
    with pytest.raises(Exception, match="price of free is not known") as caught:
        ask(session, samples("one"), CallSettings(max_cost=1.0))
    assert caught.value.exit_code == 2
    assert world.asked == []


def test_an_estimate_asks_nobody(session, samples, world):
    dataset = samples("one", "three", "five")
    ask(session, dataset, CallSettings(max_calls=1), model="priced")
    choice = Choice("scorer", "asking", {"model": "priced", "repeats": 2})
    told = estimate(session, dataset, ScoreRequest([choice])).asking["asking"]
    assert len(world.asked) == 1
    assert (told.requests, told.in_ledger, told.input_tokens) == (6, 1, 5)
    assert told.cost == 5.0


def test_an_estimate_counts_what_several_ask_alike_once(session, alike, world):
    told = estimate(session, alike("three"), ScoreRequest([Choice("scorer", "asking")])).asking[
        "asking"
    ]
    assert told.requests == 3


def test_an_estimate_counts_what_is_to_be_asked_anew(session, samples, world):
    dataset = samples("garbage", "one", "always busy")
    ask(session, dataset, CallSettings(attempts=1))
    choice = Choice("scorer", "asking", {"model": "free", "repeats": 1})
    assert estimate(session, dataset, ScoreRequest([choice])).asking == {}
    told = estimate(session, dataset, ScoreRequest([choice], retry_failed=True)).asking["asking"]
    assert (told.requests, told.in_ledger) == (2, 0)


def test_a_service_that_counts_no_tokens_is_taken_to_charge_them(session, samples, world):
    world.worst = 2
    done = ask(
        session, samples("uncounted 1", "uncounted 2"), CallSettings(1, max_cost=3), "priced"
    )
    assert done.asked.cost == {"asking": 2.0}
    assert "--max-cost" in done.stopped
