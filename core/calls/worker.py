"""Finds out whether a process that claimed requests is still alive, so that none waits in vain."""

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
"""How often a process notes that it is alive."""

SILENCE = timedelta(seconds=60)
"""How long a process may be silent before it counts as gone."""

LONG_AGO = timedelta(days=1)
"""A process that was last seen longer ago counts as gone at once."""


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
    """Return a name for this machine, since its start, within which process ids are unique."""
    parts = [platform.node()]
    # Two containers may have the same name; after a restart a machine has other processes.
    for name in ("/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"):
        try:
            path = Path(name)
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
        except OSError:
            continue
    return " ".join(parts)


class Heartbeat:
    """Notices processes that are gone, by this process's clock: other machines' may be wrong."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[datetime, float]] = {}

    def is_gone(self, worker: Worker, seen_at: datetime) -> bool:
        """Tell whether a process has ended: at once on this machine, else when it is silent.

        `seen_at` is what it wrote last; it is silent while that stays the same.
        """
        own = this_process()
        if worker.id == own.id:
            return False
        same_host = worker.host == own.host and os.name == "posix"
        if same_host and not _is_alive(worker.pid):
            return True
        if datetime.now(UTC) - seen_at > LONG_AGO:
            return True  # no clock is that wrong
        last, since = self._seen.get(worker.id, (None, 0.0))
        if last != seen_at:
            since = self._clock()
            self._seen[worker.id] = (seen_at, since)
        # The pid may belong to another process by now, but hardly so soon.
        limit = 10 * SILENCE if same_host else SILENCE
        return self._clock() - since > limit.total_seconds()


def _is_alive(pid: int) -> bool:
    if pid == os.getpid():
        return False  # its pid is ours now
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's, but alive
    return True
