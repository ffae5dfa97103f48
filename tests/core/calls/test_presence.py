"""Processes that are at work on one database see which of them are gone."""

from __future__ import annotations

import os

import pytest

from ig4.core.calls import worker
from ig4.core.calls.presence import Presence
from ig4.core.calls.worker import SILENCE, this_process
from ig4.storage import workers

from ...storage.conftest import location as location
from ...storage.conftest import postgres as postgres
from ...storage.conftest import store as store
from ...storage.conftest import template as template


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def presence(store, clock):
    return Presence(store, clock)


def sign_on(store, name, host, beats=1, pid=None):
    with store.writing() as connection:
        started = worker._start_of(pid or 1)
        workers.record_heartbeat(connection, name, host, pid or 1, started, beats)


def names(store):
    with store.reading() as connection:
        return {row.id for row in workers.list_all(connection)}


def watch(presence, clock, seconds, step=1.0):
    """Look again and again; what was released is forgotten."""
    for _ in range(int(seconds / step)):
        clock.now += step
        presence.forget_gone()


def test_who_signs_on_is_seen(store, presence):
    presence.sign_on()
    assert presence.alive() == {this_process().id}


def test_a_process_elsewhere_that_is_silent_while_watched_is_forgotten(store, presence, clock):
    sign_on(store, "elsewhere", "far away")
    watch(presence, clock, SILENCE - 2)
    assert names(store) == {"elsewhere"}
    watch(presence, clock, 4)
    assert names(store) == set()


def test_nobody_is_gone_who_could_not_reach_the_database_either(store, presence, clock):
    """While the server was away for minutes, nobody's beats went on."""
    sign_on(store, "elsewhere", "far away")
    watch(presence, clock, 10)
    clock.now += 4 * SILENCE
    watch(presence, clock, 5)
    assert names(store) == {"elsewhere"}
    sign_on(store, "elsewhere", "far away", beats=2)
    watch(presence, clock, SILENCE - 2)
    assert names(store) == {"elsewhere"}


def test_a_stopped_process_of_this_machine_is_silent_but_not_gone(store, presence, clock):
    sign_on(store, "here", this_process().host, pid=os.getppid())
    presence.release_silent()
    watch(presence, clock, 2 * SILENCE)
    assert names(store) == {"here"}
    assert presence.release_silent() == {}  # it had claimed nothing


def test_beats_go_on_by_themselves(store, presence, monkeypatch):
    import time

    from ig4.core.calls import presence as module

    def beats():
        with store.reading() as connection:
            return [row.beats for row in workers.list_all(connection)]

    monkeypatch.setattr(module, "BEAT_SECONDS", 0.05)
    presence.sign_on()
    first = beats()
    with presence.beating():
        limit = time.monotonic() + 20
        while beats() == first:
            assert time.monotonic() < limit
            time.sleep(0.02)
    last = beats()
    time.sleep(0.2)
    assert beats() == last
