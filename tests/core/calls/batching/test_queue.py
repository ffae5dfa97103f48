"""Batches: handed over once, remembered before the service has them, collected by any run."""

from __future__ import annotations

import asyncio
import dataclasses
import sys

import pytest
from sqlalchemy import text

from ig4.core.calls.batching.cancel import cancel
from ig4.core.calls.batching.resend import give_up
from ig4.core.calls.request import ServiceError
from ig4.core.calls.settings import CallSettings
from ig4.core.config import Config
from ig4.core.engine.scoring.estimate import estimate
from ig4.core.engine.scoring.plan import ScoreRequest
from ig4.core.engine.scoring.score import score
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.storage import calls

from ...conftest import record

BATCH = CallSettings(batch=True, poll_seconds=0.01)
LEAVE = CallSettings(batch=True, wait=False, poll_seconds=0.01)


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


def expect(session, dataset):
    request = ScoreRequest([Choice("scorer", "asking", {"model": "free"})], call_settings=LEAVE)
    return estimate(session, dataset, request).asking["asking"]


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


# Lost batches


def states(session):
    return sorted(column(session, "SELECT state FROM llm_calls"))


@pytest.mark.parametrize("what", ["absent", "no_results"])
@pytest.mark.parametrize("times", [1, 3, 20])
def test_what_is_not_found_at_first_is_asked_for_again_and_not_paid_again(
    session, few, world, what, times
):
    setattr(world, what, times)
    ask(session, few)
    assert column(session, VALUES) == [1, 2, 3]
    assert len(world.asked) == 3


def lose(session, few, world, **more):
    """Have a batch handed over, and then forgotten."""
    world.ready = False
    ask(session, few, LEAVE, **more)
    forgotten = dict(world.batches)
    world.batches.clear()
    world.ready = True
    return forgotten


@pytest.mark.parametrize("settings", [BATCH, LEAVE, CallSettings(poll_seconds=0.01)])
def test_a_batch_that_is_lost_is_named_and_not_sent_again(session, few, world, notices, settings):
    lose(session, few, world)
    for _ in range(2):
        done = ask(session, few, dataclasses.replace(settings, poll_seconds=0.01))
        assert done.stopped.startswith("3 samples lie in lost batches, may have been paid for")
        assert "ig4 batch resend" in done.stopped
        assert (done.asked.waiting, done.asked.lost, done.asked.goes_on) == (
            {},
            {"asking": 3},
            False,
        )
    assert len(world.asked) == 3
    assert (column(session, BATCHES), states(session)) == (["lost"], ["lost"] * 3)
    (told,) = {text for text in notices() if "lost" in text}
    assert "batch 1 is lost, with 3 requests that may have been paid: 404" in told
    assert "`ig4 batch resend 1`" in told


def test_what_may_have_been_paid_is_counted(session, few, world):
    lose(session, few, world, model="priced")
    ask(session, few, LEAVE, model="priced")
    with session.store.reading() as connection:
        (one,) = calls.sum_costs(connection, "model")
    assert (one.calls, one.cost, one.lost, one.lost_cost) == (0, 0.0, 3, 1.5)


def test_what_may_have_been_paid_counts_for_the_limit_of_the_run(session, few, world):
    world.absent = 1000
    done = ask(session, few, dataclasses.replace(BATCH, max_cost=2.0), "priced")
    assert done.asked.lost == {"asking": 3}
    assert len(world.asked) == 3


def test_an_estimate_counts_what_is_on_its_way_or_lost_apart_and_free_of_charge(
    session, few, world
):
    world.ready = False
    ask(session, few, LEAVE)
    told = expect(session, few)
    assert (told.requests, told.in_batches, told.lost, told.input_tokens) == (3, 3, 0, 0)
    world.batches.clear()
    world.ready = True
    ask(session, few, LEAVE)
    told = expect(session, few)
    assert (told.requests, told.in_batches, told.lost, told.input_tokens) == (3, 0, 3, 0)


def test_a_lost_batch_that_is_there_again_is_collected(session, few, world):
    forgotten = lose(session, few, world)
    ask(session, few, LEAVE)
    assert column(session, BATCHES) == ["lost"]
    world.batches.update(forgotten)
    world.ready = False
    ask(session, few, LEAVE)
    assert (column(session, BATCHES), states(session)) == (["submitted"], ["batch"] * 3)
    world.ready = True
    ask(session, few, LEAVE)
    assert (column(session, VALUES), len(world.asked)) == ([1, 2, 3], 3)


def test_a_lost_batch_is_sent_again_at_the_users_word_and_still_counted(session, few, world):
    lose(session, few, world, model="priced")
    ask(session, few, LEAVE, model="priced")
    assert give_up(session, 1) == 3
    ask(session, few, model="priced")
    assert column(session, BATCHES) == ["resent", "ended"]
    assert (column(session, VALUES), len(world.asked)) == ([1, 2, 3], 6)
    with session.store.reading() as connection:
        (one,) = calls.sum_costs(connection, "model")
    assert (one.calls, one.cost, one.lost, one.lost_cost) == (3, 1.5, 3, 1.5)


def test_a_batch_that_is_not_lost_is_only_given_up_at_a_second_word(session, few, world):
    world.ready = False
    ask(session, few, LEAVE)
    with pytest.raises(UsageError, match=r"is not lost.*--yes"):
        give_up(session, 1)
    assert give_up(session, 1, open_too=True) == 3
    with pytest.raises(UsageError, match="has ended already: resent"):
        give_up(session, 1, open_too=True)


def test_results_with_fewer_replies_than_the_service_counts_are_not_the_whole(session, few, world):
    world.unwritten = ("xx",)
    ask(session, few)
    assert (column(session, BATCHES), states(session)) == (["lost"], ["done", "done", "lost"])
    assert len(world.asked) == 3
    world.unwritten = ()
    ask(session, few)
    assert (column(session, VALUES), len(world.asked)) == ([1, 2, 3], 3)


# Limits of the service


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("room", [1, 2, 3, 5])
def test_more_than_the_service_takes_is_split_and_waits(
    session, dataset, world, later, room, notices
):
    world.room, world.refuses_later = room, later
    done = ask(session, dataset)
    assert (done.done, done.stopped) == ({"asking": 7}, None)
    assert column(session, VALUES) == [1, 2, 3, 4, 5, 6, 7]
    assert len(world.asked) == done.asked.calls == 7
    assert any("is more than the service takes now" in text for text in notices())


def test_what_has_no_room_now_is_sent_by_a_later_run(session, dataset, world):
    world.room, world.ready = 3, False
    assert ask(session, dataset, LEAVE).asked.waiting == {"asking": 7}
    assert len(world.asked) == 3
    world.ready = True
    while ask(session, dataset, LEAVE).stopped:
        pass
    assert (column(session, VALUES), len(world.asked)) == ([1, 2, 3, 4, 5, 6, 7], 7)


# A reply that was lost


@pytest.mark.parametrize("unlisted", [0, 1, 3])
def test_a_batch_that_was_made_without_a_reply_is_found_though_it_is_listed_late(
    session, few, world, unlisted
):
    world.times_out, world.unlisted = True, unlisted
    ask(session, few)
    assert (column(session, VALUES), len(world.asked)) == ([1, 2, 3], 3)
    assert column(session, BATCHES) == ["ended"]


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


def test_what_a_cancelled_batch_had_answered_is_kept(session, few, world):
    world.ready, world.done_before = False, 2
    ask(session, few, LEAVE)
    config = Config.model_validate({"scorers": {"asking": {"model": "free"}}})
    asyncio.run(cancel(session, config, 1))
    world.ready = True
    ask(session, few)
    assert (column(session, BATCHES), column(session, VALUES)) == (
        ["cancelled", "ended"], [1, 2, 3]
    )  # fmt: skip
    assert len(world.asked) == 4


@pytest.mark.parametrize(("number", "told"), [(9, "no batch 9"), (1, "has ended already")])
def test_only_a_batch_that_runs_can_be_cancelled(session, dataset, world, number, told):
    ask(session, dataset)
    with pytest.raises(UsageError, match=told):
        asyncio.run(cancel(session, Config(), number))
