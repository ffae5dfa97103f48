"""The ledger: one process gets a request, its reply stays, and the dead hold nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from ig4.storage import batches, calls, datasets, runs, workers
from ig4.storage.calls import CallOutcome
from ig4.storage.runs import ComponentRow


def row(name, model="m", component=None, run=None):
    return {
        "request_hash": name,
        "provider": "test",
        "model": model,
        "component_id": component,
        "run_id": run,
    }


def claim(store, worker, *names, **more):
    """Return what the worker did not get, by name."""
    with store.writing() as connection:
        return calls.claim(connection, worker, [row(name) for name in names], **more)


def record(store, *outcomes):
    with store.writing() as connection:
        calls.record(connection, outcomes)


def states(store, *names):
    with store.reading() as connection:
        known = calls.lookup(connection, names)
    return {name: known[name].state for name in known}


def test_the_first_gets_a_request_and_the_second_sees_who_has_it(store):
    assert claim(store, "one", "a", "b") == {}
    lost = claim(store, "two", "b", "c")
    assert {name: r.worker for name, r in lost.items()} == {"b": "one"}
    assert states(store, "a", "b", "c", "d") == dict.fromkeys("abc", "claimed")


def test_of_many_at_once_exactly_one_gets_each(store):
    names = [f"n{n}" for n in range(50)]
    with ThreadPoolExecutor(8) as pool:
        lost = list(pool.map(lambda worker: claim(store, str(worker), *names), range(8)))
    got = [name for one in lost for name in set(names) - set(one)]
    assert sorted(got) == sorted(names)


def test_a_reply_is_given_to_whoever_asks_again(store):
    claim(store, "one", "a")
    record(store, CallOutcome("a", calls.DONE, "87", "stop", None, 10, 4, 2, 0.5, 1.25, 3))
    known = claim(store, "two", "a")["a"]
    assert (known.state, known.reply, known.finish, known.worker) == ("done", "87", "stop", None)
    assert (known.input_tokens, known.cached_tokens, known.output_tokens) == (10, 4, 2)


def test_a_failed_request_may_be_claimed_again(store):
    claim(store, "one", "a")
    record(store, CallOutcome("a", calls.FAILED, error="400"))
    assert claim(store, "two", "a") == {}
    assert states(store, "a") == {"a": "claimed"}


def test_an_unreadable_reply_is_kept_and_only_renewed_when_asked_for(store):
    claim(store, "one", "a")
    record(store, CallOutcome("a", calls.DONE, "no idea", cost=0.5))
    with store.writing() as connection:
        calls.mark_unreadable(connection, {"a": ("no idea", "no number")})
    assert claim(store, "one", "a")["a"].state == "unreadable"
    assert claim(store, "one", "a", renew=True) == {}
    with store.reading() as connection:
        assert calls.sum_costs(connection, "model")[0].cost == 0.5


def test_a_good_reply_that_came_meanwhile_does_not_become_unreadable(store):
    """A merge brings a reply while the process that had asked, too, still reads its own."""
    claim(store, "one", "a")
    record(store, CallOutcome("a", calls.DONE, "87", seconds=1.0))
    record(store, CallOutcome("a", calls.DONE, "no idea", cost=0.5, seconds=2.0))
    with store.writing() as connection:
        calls.mark_unreadable(connection, {"a": ("no idea", "no number")})
        row = calls.lookup(connection, ["a"])["a"]
    assert (row.state, row.reply) == ("done", "87")


def test_only_a_reply_can_become_unreadable(store):
    claim(store, "one", "a")
    with store.writing() as connection:
        calls.mark_unreadable(connection, {"a": ("no idea", "no number")})
    assert states(store, "a") == {"a": "claimed"}


def test_a_process_that_ends_frees_what_it_did_not_finish_and_nothing_else(store):
    claim(store, "one", "a", "b")
    claim(store, "two", "c")
    record(store, CallOutcome("a", calls.DONE, "87"))
    with store.writing() as connection:
        calls.release_all(connection, "one", None)
    assert states(store, "a", "b", "c") == {"a": "done", "c": "claimed"}


def test_the_dead_are_forgotten_with_what_they_held(store):
    with store.writing() as connection:
        for worker in ("one", "two"):
            workers.record_heartbeat(connection, worker, "here", 7, "start", 1)
    claim(store, "one", "a")
    claim(store, "two", "b")
    with store.writing() as connection:
        workers.delete_gone(connection, [w for w in workers.list_all(connection) if w.id == "one"])
    assert states(store, "a", "b") == {"b": "claimed"}
    with store.reading() as connection:
        (left,) = workers.list_all(connection)
    assert (left.id, left.host, left.pid, left.started, left.beats) == (
        "two",
        "here",
        7,
        "start",
        1,
    )


def test_one_that_beats_again_while_it_is_forgotten_is_not(store):
    with store.writing() as connection:
        workers.record_heartbeat(connection, "one", "here", 7, None, 1)
    claim(store, "one", "a")
    with store.reading() as connection:
        read = workers.list_all(connection)
    with store.writing() as connection:
        workers.record_heartbeat(connection, "one", "here", 7, None, 2)
        workers.delete_gone(connection, read)
    assert states(store, "a") == {"a": "claimed"}


def test_silence_is_by_the_clock_of_the_server_which_a_file_has_not(store):
    with store.writing() as connection:
        workers.record_heartbeat(connection, "one", "here", 7, None, 1)
        if not store.is_sqlite:
            connection.execute(text("UPDATE llm_workers SET seen_at = now() - interval '90 s'"))
    with store.reading() as connection:
        (known,) = workers.list_all(connection)
    assert known.silence is None if store.is_sqlite else 80 < known.silence < 100


# Replies at other limits of tokens

LARGER, SMALLER = {"a-more": True}, {"a-less": False}


def unreadable(store, name, finish):
    claim(store, "one", name)
    record(store, CallOutcome(name, calls.DONE, "?", finish))
    with store.writing() as connection:
        calls.mark_unreadable(connection, {name: ("?", "no number")})


@pytest.mark.parametrize("others", [LARGER, SMALLER])
def test_a_reply_at_another_limit_serves(store, others):
    (other,) = others
    claim(store, "one", other)
    assert claim(store, "two", "a", elsewhere=lambda _: others)["a"].state == "claimed"
    record(store, CallOutcome(other, calls.DONE, "87", "stop"))
    served = claim(store, "two", "a", elsewhere=lambda _: others)["a"]
    assert (served.request_hash, served.reply) == (other, "87")
    assert states(store, "a") == {}


def test_one_that_was_cut_and_unreadable_serves_where_the_limit_is_no_larger(store):
    unreadable(store, "a-more", "length")
    unreadable(store, "a-less", "MAX_TOKENS")
    for renew in (False, True):
        served = claim(store, "one", "a", renew=renew, elsewhere=lambda _: SMALLER | LARGER)
        assert served["a"].request_hash == "a-more"
    assert claim(store, "one", "a", elsewhere=lambda _: SMALLER) == {}


def test_one_that_ended_and_is_unreadable_serves_unless_it_is_to_be_renewed(store):
    unreadable(store, "a-less", "stop")
    assert claim(store, "one", "a", elsewhere=lambda _: SMALLER)["a"].state == "unreadable"
    assert claim(store, "one", "a", renew=True, elsewhere=lambda _: SMALLER) == {}


def test_what_was_cut_at_its_limit_is_not_renewed(store):
    unreadable(store, "a", "length")
    unreadable(store, "b", None)
    assert set(claim(store, "one", "a", "b", renew=True)) == {"a"}


def test_a_failure_at_another_limit_serves_nobody(store):
    claim(store, "one", "a-more")
    record(store, CallOutcome("a-more", calls.FAILED, error="400"))
    assert claim(store, "one", "a", elsewhere=lambda _: LARGER) == {}


def component(connection, version, limit):
    given = ComponentRow(
        "scorer", "gpt", "ig4", version, {"max_tokens": limit}, f"{version}{limit}"
    )
    return runs.component_id(connection, given)


def test_limits_and_batches_of_earlier_options_are_known(store):
    with store.writing() as connection:
        one, two = component(connection, "1", 512), component(connection, "2", 1024)
        component(connection, "2", None)
        batches.prepare(connection, "w", "key", [row("a", component=one)])
        assert calls.known_limits(connection) == [512, 1024]
        assert batches.siblings_at_work(connection, two) == [one]
        assert batches.siblings_at_work(connection, one) == []


# Sums


@pytest.fixture
def spent(store):
    """Calls of two models, two runs and two components."""
    with store.writing() as connection:
        ids = [
            runs.component_id(connection, ComponentRow("scorer", name, "ig4", "1", {}, name))
            for name in ("gpt", "claude")
        ]
        numbers = [runs.start(connection, "score", config={}, versions={}) for _ in range(2)]
        rows = [
            row("a", "small", ids[0], numbers[0]),
            row("b", "small", ids[0], numbers[1]),
            row("c", "large", ids[1], numbers[1]),
            row("d", "large", ids[1], numbers[1]),
        ]
        calls.claim(connection, "one", rows)
        calls.record(
            connection,
            [
                CallOutcome("a", calls.DONE, "1", input_tokens=10, output_tokens=1, cost=0.25),
                CallOutcome("b", calls.DONE, "2", input_tokens=30, output_tokens=3, cost=0.5),
                CallOutcome("c", calls.DONE, "3", input_tokens=20, output_tokens=5),
                CallOutcome("d", calls.FAILED, error="400"),
            ],
        )
    return ids


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("model", {"large": (1, 0.0, 1, 1), "small": (2, 0.75, 0, 0)}),
        ("scorer", {"claude": (1, 0.0, 1, 1), "gpt": (2, 0.75, 0, 0)}),
        ("run", {"1": (1, 0.25, 0, 0), "2": (2, 0.5, 1, 1)}),
    ],
)
def test_costs_are_summed_by(store, spent, by, groups):
    with store.reading() as connection:
        sums = calls.sum_costs(connection, by)
    assert {s.group: (s.calls, s.cost, s.unpriced, s.failed) for s in sums} == groups


def test_a_judge_and_a_scorer_of_one_name_are_told_apart(store, spent):
    with store.writing() as connection:
        judge = runs.component_id(connection, ComponentRow("judge", "gpt", "ig4", "1", {}, "j"))
        calls.claim(connection, "one", [row("e", "small", judge)])
        calls.record(connection, [CallOutcome("e", calls.DONE, "8 9", cost=2.0)])
        costs = {one.group: one.cost for one in calls.sum_costs(connection, "scorer")}
    assert costs == {"claude": 0.0, "gpt": 0.75, "judge gpt": 2.0}


def test_costs_of_a_day_are_those_of_that_day_in_utc(store, spent):
    with store.reading() as connection:
        (today,) = calls.sum_costs(connection, "day")
    assert today.group == f"{datetime.now(UTC):%Y-%m-%d}"
    assert (today.calls, today.input_tokens, today.output_tokens) == (3, 60, 9)


def test_what_replies_usually_are_is_an_average_of_those_that_came(store, spent):
    with store.reading() as connection:
        usual = calls.typical_usage(connection, spent[0])
        assert calls.typical_usage(connection, 99) is None
    assert (usual.calls, usual.input_tokens, usual.output_tokens) == (2, 20.0, 2.0)


# Batches


def test_a_batch_holds_its_requests_until_each_has_an_outcome(store):
    with store.writing() as connection:
        number, got = batches.prepare(connection, "one", "key", [row("a"), row("b"), row("c")])
        batches.mark_submitted(connection, number, "remote")
    assert got == {"a", "b", "c"}
    assert {r.state for r in claim(store, "two", "a", "b").values()} == {"batch"}
    record(store, CallOutcome("a", calls.DONE, "87"))
    with store.reading() as connection:
        assert batches.pending_hashes(connection, number) == {"b", "c"}
        assert batches.count_pending(connection) == {number: 2}
        (known,) = batches.list_unfinished(connection, None)
    assert (known.key, known.remote_id, known.state) == ("key", "remote", "submitted")
    with store.writing() as connection:
        assert batches.finish(connection, number, batches.ENDED) == 2
        assert batches.list_unfinished(connection, None) == []
    assert states(store, "a", "b", "c") == {"a": "done"}


def test_what_somebody_else_asks_goes_into_no_batch(store):
    claim(store, "two", "a")
    with store.writing() as connection:
        number, got = batches.prepare(connection, "one", "key", [row("a"), row("b")])
        assert got == {"b"}
        assert batches.list_all(connection)[0].requests == 1
        assert batches.prepare(connection, "one", "other", [row("a")]) == (0, set())
    assert number == 1


def test_a_lost_batch_keeps_its_requests_until_it_is_given_up_and_counts_them_on(store):
    rows = [row(name) | {"cost": 0.25} for name in "ab"]
    with store.writing() as connection:
        number, _ = batches.prepare(connection, "one", "key", rows)
        batches.mark_submitted(connection, number, "remote")
        assert batches.mark_lost(connection, number, "404") == 2
        assert batches.pending_hashes(connection, number) == {"a", "b"}
    assert {r.state for r in claim(store, "two", "a", "b").values()} == {"lost"}
    with store.writing() as connection:
        batches.mark_submitted(connection, number, "remote")
    assert states(store, "a", "b") == {"a": "batch", "b": "batch"}
    with store.writing() as connection:
        assert batches.give_up(connection, number) == 2
        assert batches.list_unfinished(connection, None) == []
    assert claim(store, "two", "a", "b") == {}
    for by in ("model", "day"):
        with store.reading() as connection:
            (one,) = calls.sum_costs(connection, by)
        assert (one.calls, one.cost, one.lost, one.lost_cost) == (0, 0.0, 2, 0.5)


def test_costs_of_a_data_set_are_those_of_its_runs_until_then(store, spent):
    with store.writing() as connection:
        own = {
            name: datasets.put(
                connection, name, path="x", format="llava", options={}, image_root=None, header=None
            ).id
            for name in ("one", "two")
        }
        for number, name in ((1, "one"), (2, "two")):
            runs.set_dataset(connection, number, own[name])
        (run,) = runs.newest(connection, number=2)

        def cost(name, until=None):
            sums = calls.sum_costs(connection, "scorer", dataset_id=own[name], until=until)
            return {one.group: one.cost for one in sums}

        assert cost("one") == {"gpt": 0.25}
        assert cost("two", run.started_at) == {"claude": 0.0, "gpt": 0.5}
        assert cost("two", run.started_at - timedelta(seconds=1)) == {}
