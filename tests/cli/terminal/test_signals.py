"""Signals that end a command, wherever they find it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ...processes import environment

IN_A_FINALISER = """
import signal, sys, time
from ig4.cli.terminal.signals import end_on_signals, end_once, received

end_on_signals()

class Finalised:
    def __del__(self):
        signal.raise_signal(getattr(signal, sys.argv[1]))
        time.sleep(0)

try:
    Finalised()  # gone at once
    if sys.argv[2:] == ["over"]:
        end_once()
        time.sleep(0.2)
    else:
        time.sleep(20)
except KeyboardInterrupt:
    print("ended by", received())
"""


def run(*arguments):
    command = [sys.executable, "-c", IN_A_FINALISER, *arguments]
    return subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=30, check=True
    )


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.mark.parametrize(("name", "number"), [("SIGINT", None), ("SIGTERM", 15)])
def test_a_signal_in_a_finaliser_where_python_drops_it_ends_the_command_all_the_same(name, number):
    ended = run(name)
    assert ended.stdout == f"ended by {number}\n"
    assert ended.stderr == ""


def test_one_that_has_ended_is_not_ended_again_while_it_leaves_with_its_exit_code():
    assert run("SIGTERM", "over").stdout == ""


IN_A_PLUGIN = """
import os, signal, threading, time
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a background job of a script
from ig4.cli.terminal.signals import end_on_signals, received
from ig4.core.host.watch import call_watched

end_on_signals()
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
try:
    call_watched(lambda: time.sleep(20), "a plugin")
except KeyboardInterrupt:
    print("ended by", received())
"""


def test_sigterm_ends_a_plugins_code_also_where_interrupts_are_ignored():
    command = [sys.executable, "-c", IN_A_PLUGIN]
    ended = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=15, check=True
    )
    assert ended.stdout == "ended by 15\n"
