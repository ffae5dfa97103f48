"""Tells whether a process that claimed requests still lives, so that nobody waits for the dead."""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

BEAT_SECONDS = 5.0
"""How often a process says that it lives."""

SILENCE = timedelta(seconds=60)
"""How long a process may say nothing before it counts as gone."""

LONG_AGO = timedelta(days=1)
"""When a process was last seen that need not be watched: it is gone."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that sends requests."""

    id: str
    host: str
    pid: int


def this_process() -> Worker:
    """Return this process; the same one for as long as it lives."""
    return _this_process(os.getpid())  # a forked child is another


@cache
def _this_process(pid: int) -> Worker:
    return Worker(uuid.uuid4().hex, _host(), pid)


@cache
def _host() -> str:
    """Return what process ids on this machine are unique in, since it was started."""
    parts = [platform.node()]
    # Two containers may have one name; a machine that was started anew has other processes.
    for place in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            path = Path(place)
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
        except OSError:
            continue
    return " ".join(parts)


class Heartbeat:
    """Tells who is gone by this process's own clock: that of another machine may be wrong."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[datetime, float]] = {}

    def is_gone(self, worker: Worker, seen_at: datetime) -> bool:
        """Tell whether a process has ended: at once on this machine, else when it is silent.

        `seen_at` is what it wrote last; it is silent while that stays the same.
        """
        me = this_process()
        if worker.id == me.id:
            return False
        here = worker.host == me.host and os.name == "posix"
        if here and not _lives(worker.pid):
            return True
        if datetime.now(UTC) - seen_at > LONG_AGO:
            return True  # no clock is that wrong
        known, since = self._seen.get(worker.id, (None, 0.0))
        if known != seen_at:
            since = self._clock()
            self._seen[worker.id] = (seen_at, since)
        # A number that lives here may be another process's by now, but hardly so soon.
        patience = 10 * SILENCE if here else SILENCE
        return self._clock() - since > patience.total_seconds()


def _lives(pid: int) -> bool:
    if pid == os.getpid():
        return False  # its number is ours now
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's, but it lives
    return True
