"""Locks on files: only one process can hold one, and a killed process holds none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ig4.core.errors import UsageError

_RETRY_SECONDS = 0.05

_locked_files: set[TextIO] = set()
"""The files this process holds a lock on."""


@contextmanager
def hold_lock(file: Path, message: str) -> Iterator[None]:
    """Hold a lock on an existing file; does nothing where the system has no locks (Windows).

    Raises:
        UsageError: another process holds it; with this `message`.
        FileNotFoundError: there is no such file.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with file.open("r", encoding="utf-8") as opened:
        try:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # Another process may only have checked whether it is held.
                time.sleep(_RETRY_SECONDS)
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(message) from None
        except OSError:  # some network file systems have no locks
            pass
        _locked_files.add(opened)
        try:
            yield
        finally:
            _locked_files.discard(opened)


def may_be_locked(file: Path) -> bool:
    """Tell whether a process may hold the lock; True also where that cannot be found out.

    It cannot on a system without locks, nor if the file does not exist, as on another machine.
    """
    try:
        import fcntl

        with file.open("r", encoding="utf-8") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return True
    return False


def _close_after_fork() -> None:
    """Close the locked files in a process just forked; its parent keeps the locks.

    Otherwise processes that read images ahead hold a lock for seconds after a training is killed.
    """
    while _locked_files:
        _locked_files.pop().close()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_close_after_fork)
