"""A process that is gone is known at once on its own machine, and by its silence elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ig4.core.calls import worker
from ig4.core.calls.worker import BEAT_SECONDS, SILENCE, Heartbeat, Worker, this_process


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_this_process_lives_and_stays_the_same():
    assert this_process() is this_process()
    assert not Heartbeat().is_gone(this_process(), 1, silence=1e9)


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot ask without harm")
def test_an_ended_process_of_this_machine_is_gone_at_once(dead):
    assert Heartbeat().is_gone(Worker("w", this_process().host, dead), 1)


def test_a_living_process_of_this_machine_is_not_gone():
    assert not Heartbeat().is_gone(Worker("w", this_process().host, os.getppid()), 1)


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot ask without harm")
def test_one_whose_number_is_ours_now_is_gone():
    assert Heartbeat().is_gone(Worker("w", this_process().host, os.getpid()), 1)


linux = pytest.mark.skipif(sys.platform != "linux", reason="the system does not say when one began")


@linux
def test_a_later_process_that_has_its_number_is_another():
    parent, own = os.getppid(), this_process()
    assert own.started is not None
    assert Heartbeat().is_gone(Worker("w", own.host, parent, "1"), 1)


@linux
def test_one_that_has_ended_is_gone_although_its_parent_has_not_noticed():
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    started = worker._start_of(process.pid)
    process.stdout.read()  # to its end: only its number is left
    while worker._start_of(process.pid) == started:
        pass
    assert Heartbeat().is_gone(Worker("w", this_process().host, process.pid, started), 1)
    process.communicate()


@linux
def test_a_living_process_of_this_machine_may_be_silent_for_ever():
    parent = Worker("w", this_process().host, os.getppid(), worker._start_of(os.getppid()))
    clock = Clock()
    watch = Heartbeat(clock)
    assert not watch.is_gone(parent, 1, silence=1e9)
    clock.now += 1e9
    assert not watch.is_gone(parent, 1, silence=1e9)


ELSEWHERE = Worker("w", "another machine", 1)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def test_a_process_elsewhere_is_gone_when_its_beats_stand_still_while_watched():
    clock = Clock()
    watch = Heartbeat(clock)
    assert not watch.is_gone(ELSEWHERE, 7)
    clock.now += SILENCE - 1
    assert not watch.is_gone(ELSEWHERE, 7)
    clock.now += 2
    assert not watch.is_gone(ELSEWHERE, 8)
    clock.now += SILENCE + 1
    assert watch.is_gone(ELSEWHERE, 8)


def test_where_a_server_has_a_clock_three_beats_are_enough():
    clock = Clock()
    watch = Heartbeat(clock)
    assert not watch.is_gone(ELSEWHERE, 7, silence=1e6)
    clock.now += 2 * BEAT_SECONDS
    assert not watch.is_gone(ELSEWHERE, 8, silence=1e6)  # that clock was set: it is alive
    clock.now += 3 * BEAT_SECONDS + 1
    assert watch.is_gone(ELSEWHERE, 8, silence=1e6)


def test_a_living_process_whose_start_is_not_known_may_be_silent_for_longer():
    clock = Clock()
    watch, parent = Heartbeat(clock), Worker("w", this_process().host, os.getppid())
    assert not watch.is_gone(parent, 1)
    clock.now += 2 * SILENCE
    assert not watch.is_gone(parent, 1)
    clock.now += 9 * SILENCE
    assert watch.is_gone(parent, 1)
