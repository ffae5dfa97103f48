"""Batches: handed over once, remembered before the service has them, collected by any run."""

from __future__ import annotations

import asyncio
import sys

import pytest
from sqlalchemy import text

from ig4.core.calls.batching.cancel import cancel
from ig4.core.calls.request import ServiceError
from ig4.core.calls.settings import CallSettings
from ig4.core.config import Config
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import UsageError
from ig4.core.records import Choice

from ...conftest import record

BATCH = CallSettings(batch=True, poll_seconds=0.01)
LEAVE = CallSettings(batch=True, wait=False)


@pytest.fixture
def world(session):
    session.host.load("scorer", "asking")
    return sys.modules["counting.service"].world


@pytest.fixture
def dataset(folder, read):
    folder.write(*(record(f"s{n}", "x" * (n + 1)) for n in range(7)))
    return read().dataset


def ask(session, dataset, call_settings=BATCH, model="free", **more):
    choice = Choice("scorer", "asking", {"model": model})
    return score(session, dataset, ScoreRequest([choice], call_settings=call_settings, **more))


def column(session, sql):
    with session.store.reading() as connection:
        return connection.scalars(text(sql)).all()


VALUES = "SELECT value FROM scores_long ORDER BY external_id"
BATCHES = "SELECT state FROM llm_batches ORDER BY id"


def test_requests_go_in_batches_of_what_the_service_takes(session, dataset, world):
    done = ask(session, dataset)
    assert [len(requests) for _, requests, _ in world.batches.values()] == [3, 3, 1]
    assert column(session, VALUES) == [1, 2, 3, 4, 5, 6, 7]
    assert column(session, BATCHES) == ["ended"] * 3
    assert (done.done, done.stopped) == ({"asking": 7}, None)


def test_a_run_that_does_not_wait_leaves_them_for_the_next(session, dataset, world):
    world.ready = False
    left = ask(session, dataset, LEAVE)
    assert left.stopped == "7 samples wait for batches"
    assert ask(session, dataset, LEAVE).asked.waiting == {"asking": 7}
    world.ready = True
    assert ask(session, dataset, LEAVE).done == {"asking": 7}
    assert len(world.asked) == 7


@pytest.mark.slow
def test_a_run_without_batches_collects_them_too_and_asks_nothing_twice(session, dataset, world):
    world.ready = False
    ask(session, dataset, LEAVE)
    assert ask(session, dataset, CallSettings()).asked.waiting == {"asking": 7}
    world.ready = True
    assert ask(session, dataset, CallSettings()).done == {"asking": 7}
    assert len(world.asked) == 7


def test_a_batch_costs_half(session, dataset, world):
    assert ask(session, dataset, model="priced").asked.cost == {"asking": 3.5}


@pytest.fixture
def few(folder, read):
    """As many samples as one batch takes."""
    folder.write(*(record(f"s{n}", "x" * (n + 1)) for n in range(3)))
    return read().dataset


def test_a_crash_before_the_id_is_written_down_loses_no_batch(session, few, world):
    world.lose_answer = True
    with pytest.raises(SystemExit):
        ask(session, few)
    assert column(session, BATCHES) == ["preparing"]
    ask(session, few)
    assert len(world.asked) == 3
    assert column(session, VALUES) == [1, 2, 3]


def test_a_batch_that_never_reached_the_service_is_made_anew(session, few, world):
    world.lose_answer = True
    with pytest.raises(SystemExit):
        ask(session, few)
    world.batches.clear()
    ask(session, few)
    assert column(session, BATCHES) == ["failed", "ended"]
    assert column(session, VALUES) == [1, 2, 3]


def test_a_batch_that_the_service_has_forgotten_is_made_anew(session, few, world):
    world.ready = False
    ask(session, few, LEAVE)
    world.batches.clear()
    world.ready = True
    ask(session, few)
    assert column(session, BATCHES) == ["failed", "ended"]
    assert column(session, VALUES) == [1, 2, 3]


def test_results_that_are_cut_off_are_taken_in_from_there(session, few, world):
    world.cut_after = 2
    done = ask(session, few, model="priced")
    assert done.asked.cost == {"asking": 1.5}
    assert column(session, VALUES) == [1, 2, 3]
    assert len(world.asked) == 3


def test_a_service_that_never_takes_a_batch_ends_the_run(session, few, world):
    world.down = True
    with pytest.raises(ServiceError, match="no batch could be handed over in 10 tries"):
        ask(session, few)
    world.down = False
    ask(session, few)
    assert column(session, VALUES) == [1, 2, 3]


def test_a_failed_line_goes_into_another_batch(session, folder, read, world):
    folder.write(record("s0", "busy"), record("s1", "fine"))
    ask(session, read().dataset)
    assert world.asked.count("busy") == 3
    assert world.asked.count("fine") == 1
    assert column(session, VALUES) == [4, 4]


def test_a_line_that_always_fails_is_an_error(session, folder, read, world):
    folder.write(record("s0", "always busy"), record("s1", "reject"))
    done = ask(session, read().dataset)
    assert done.failed == {"asking": 2}
    errors = column(session, "SELECT error FROM scores_long ORDER BY external_id")
    assert errors == ["503: busy", "400: not this one"]
    assert world.asked.count("always busy") == 3
    assert world.asked.count("reject") == 1


def test_no_batch_is_made_that_could_exceed_what_may_be_spent(session, dataset, world):
    done = ask(
        session, dataset, CallSettings(batch=True, poll_seconds=0.01, max_cost=2.0), "priced"
    )
    assert done.asked.cost == {"asking": 2.0}
    assert "--max-cost" in done.stopped
    rest = ask(session, dataset, model="priced")
    assert rest.asked.cost == {"asking": 1.5}
    assert len(world.asked) == 7


def test_batches_that_come_in_cheaper_than_feared_make_room_for_more(session, dataset, world):
    world.worst = 10  # tokens that a request might have, where it then has one
    done = ask(
        session, dataset, CallSettings(batch=True, poll_seconds=0.01, max_cost=6.0), "priced"
    )
    assert (done.asked.cost, done.done) == ({"asking": 1.5}, {"asking": 3})
    assert "--max-cost" in done.stopped


def test_an_unreadable_reply_of_a_batch_is_an_error_until_it_is_asked_anew(
    session, folder, read, world
):
    folder.write(record("s0", "garbage"))
    dataset = read().dataset
    assert ask(session, dataset).failed == {"asking": 1}
    ask(session, dataset)
    assert len(world.asked) == 1
    ask(session, dataset, retry_failed=True)
    assert len(world.asked) == 2


def test_a_cancelled_batch_frees_its_requests(session, dataset, world):
    world.ready = False
    ask(session, dataset, LEAVE)
    config = Config.model_validate({"scorers": {"asking": {"model": "free"}}})
    assert asyncio.run(cancel(session, config, 1)) == "remote-1"
    world.ready = True
    ask(session, dataset)
    assert column(session, BATCHES) == ["cancelled", "ended", "ended", "ended"]
    assert column(session, VALUES) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(("number", "told"), [(9, "no batch 9"), (1, "has ended already")])
def test_only_a_batch_that_runs_can_be_cancelled(session, dataset, world, number, told):
    ask(session, dataset)
    with pytest.raises(UsageError, match=told):
        asyncio.run(cancel(session, Config(), number))
