"""A process that is gone is known at once on its own machine, and by its silence elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ig4.core.calls.worker import LONG_AGO, SILENCE, Heartbeat, Worker, this_process


def now():
    return datetime.now(UTC)


@pytest.fixture
def dead():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_this_process_lives_and_stays_the_same():
    assert this_process() is this_process()
    assert not Heartbeat().is_gone(this_process(), now() - timedelta(days=9))


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot ask without harm")
def test_an_ended_process_of_this_machine_is_gone_at_once(dead):
    assert Heartbeat().is_gone(Worker("w", this_process().host, dead), now())


def test_a_living_process_of_this_machine_is_not_gone():
    assert not Heartbeat().is_gone(Worker("w", this_process().host, os.getppid()), now())


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot ask without harm")
def test_one_whose_number_is_ours_now_is_gone():
    assert Heartbeat().is_gone(Worker("w", this_process().host, os.getpid()), now())


ELSEWHERE = Worker("w", "another machine", 1)
SECONDS = SILENCE.total_seconds()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize("wrong", [timedelta(0), timedelta(hours=-9), timedelta(hours=9)])
def test_a_process_elsewhere_is_gone_when_it_is_silent_whatever_its_clock_says(wrong):
    clock = Clock()
    watch = Heartbeat(clock)
    last = now() + wrong
    assert not watch.is_gone(ELSEWHERE, last)
    clock.now += SECONDS - 1
    assert not watch.is_gone(ELSEWHERE, last)
    clock.now += 2
    assert not watch.is_gone(ELSEWHERE, last + timedelta(seconds=5))
    clock.now += SECONDS + 1
    assert watch.is_gone(ELSEWHERE, last + timedelta(seconds=5))


def test_one_that_was_last_seen_long_ago_need_not_be_watched():
    assert Heartbeat().is_gone(ELSEWHERE, now() - LONG_AGO - timedelta(seconds=1))


def test_a_living_process_of_this_machine_may_be_silent_for_longer():
    clock, last = Clock(), now()
    watch, parent = Heartbeat(clock), Worker("w", this_process().host, os.getppid())
    assert not watch.is_gone(parent, last)
    clock.now += 2 * SECONDS
    assert not watch.is_gone(parent, last)
    clock.now += 9 * SECONDS
    assert watch.is_gone(parent, last)
