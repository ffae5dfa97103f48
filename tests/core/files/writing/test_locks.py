"""One process at a time: a lock refuses others while it is held, and a kill frees it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ig4.core.errors import UsageError
from ig4.core.files.writing.locks import hold_lock, may_be_locked

pytest.importorskip("fcntl", reason="the system has no such locks")

HOLDER = """
import pathlib, sys, time
from ig4.core.files.writing.locks import hold_lock
with hold_lock(pathlib.Path(sys.argv[1]), "taken"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    return path


def test_another_process_is_refused_until_the_holder_is_killed(file):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, file], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        assert may_be_locked(file)
        with pytest.raises(UsageError, match="wait for it"), hold_lock(file, "wait for it"):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert not may_be_locked(file)
    with hold_lock(file, "free"):
        pass


def test_a_file_that_is_not_there_may_be_held_elsewhere(tmp_path):
    assert may_be_locked(tmp_path / "none")
    with pytest.raises(FileNotFoundError), hold_lock(tmp_path / "none", "taken"):
        pass
