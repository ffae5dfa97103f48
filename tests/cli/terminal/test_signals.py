"""Signals that end a command, wherever they find it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ...processes import environment

IN_A_FINALISER = """
import signal, sys, time
from ig4.cli.terminal.signals import end_on_signals, received

end_on_signals()

class Finalised:
    def __del__(self):
        signal.raise_signal(getattr(signal, sys.argv[1]))
        time.sleep(0)

try:
    Finalised()  # gone at once
    time.sleep(20)
except KeyboardInterrupt:
    print("ended by", received())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "number"), [("SIGINT", None), ("SIGTERM", 15)])
def test_a_signal_in_a_finaliser_where_python_drops_it_ends_the_command_all_the_same(name, number):
    command = [sys.executable, "-c", IN_A_FINALISER, name]
    ended = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=30, check=True
    )
    assert ended.stdout == f"ended by {number}\n"
    assert ended.stderr == ""
