"""Locks on files: who holds one is alone at work, and a killed process holds none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ig4.core.errors import UsageError

_LOOKING_SECONDS = 0.05

_locked: set[TextIO] = set()
"""The files this process holds a lock on."""


@contextmanager
def held(file: Path, told: str) -> Iterator[None]:
    """Hold a lock on a file that is there, where the system has such locks (Windows has none).

    Raises:
        UsageError: another process holds it; `told` is the message.
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
                time.sleep(_LOOKING_SECONDS)  # somebody may only have looked whether it is held
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(told) from None
        except OSError:  # some network file systems have no locks
            pass
        _locked.add(opened)
        try:
            yield
        finally:
            _locked.discard(opened)


def may_be_held(file: Path) -> bool:
    """Tell whether a process holds the lock; True also where that cannot be found out.

    It cannot be without locks, nor where the file is not, as on another machine.
    """
    try:
        import fcntl

        with file.open("r", encoding="utf-8") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return True
    return False


def _let_go() -> None:
    """Close the locked files in a process just forked, which leaves them locked by the one before.

    Else processes that read images ahead hold the lock for seconds after a kill of the training.
    """
    while _locked:
        _locked.pop().close()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_let_go)
