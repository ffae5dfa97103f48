"""A process that is gone is known at once on its own machine, and by its silence elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from ig4.core.calls.worker import SILENCE, Worker, is_gone, this_process


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
    assert not is_gone(this_process(), now() - timedelta(days=1))


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot ask without harm")
def test_an_ended_process_of_this_machine_is_gone_at_once(dead):
    assert is_gone(Worker("w", this_process().host, dead), now())


def test_a_living_process_of_this_machine_is_not_gone():
    assert not is_gone(Worker("w", this_process().host, os.getppid()), now())


@pytest.mark.skipif(os.name != "posix", reason="Windows cannot ask without harm")
def test_one_whose_number_is_ours_now_is_gone():
    assert is_gone(Worker("w", this_process().host, os.getpid()), now())


def test_a_process_elsewhere_is_gone_when_it_is_silent(dead):
    elsewhere = Worker("w", "another machine", dead)
    assert not is_gone(elsewhere, now())
    assert is_gone(elsewhere, now() - SILENCE - timedelta(seconds=1))
