"""Finds out whether a process that claimed requests is still alive, so that none waits in vain.

Times that different machines wrote are never compared: their clocks may be days apart. What counts
is what this process can see: whether a process is in its machine's list, and whether the beats of
others go on while it watches.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BEAT_SECONDS = 5.0
"""How often a process notes that it is alive."""

SILENCE = 60.0
"""For how many seconds a process may be silent before it counts as gone."""

BEATS_WATCHED = 3
"""For how many beats a process is watched even if a server's clock says that it is silent: that
clock may have been set, too."""

_NO_START_FACTOR = 10
"""How much longer a process may be silent whose number is alive, where numbers are used again and
the system does not say when a process started."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that sends requests.

    `started` tells it from a later one with the same `pid`; None where that is not known.
    """

    id: str
    host: str
    pid: int
    started: str | None = None


def this_process() -> Worker:
    """Return this process; the same one for as long as it lives."""
    return _this_process(os.getpid())  # a forked child is another


@cache
def _this_process(pid: int) -> Worker:
    return Worker(uuid.uuid4().hex, _host(), pid, _start_of(pid))


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


def uptime() -> float:
    """Return seconds since some moment, those included in which the machine slept."""
    clock = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Heartbeat:
    """Notices processes that are gone by watching their beats."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    def is_gone(self, worker: Worker, beats: int, silence: float | None = None) -> bool:
        """Tell whether a process has ended: at once on this machine, else when it is silent.

        `beats` is what it wrote last; it is silent while that stays the same. `silence` is how
        many seconds ago it did, if one clock that all share says so: the database server's.
        """
        own = this_process()
        if worker.id == own.id:
            return False
        limit = SILENCE
        if worker.host == own.host and os.name == "posix":
            alive = _is_alive(worker)
            if alive is not None:
                return not alive
            limit, silence = SILENCE * _NO_START_FACTOR, None
        if silence is not None and silence > SILENCE:
            limit = BEAT_SECONDS * BEATS_WATCHED
        return self._watched_for(worker.id, beats) > limit

    def is_silent(self, worker: str, beats: int) -> bool:
        """Tell whether a process was watched for long without a beat, be it on this machine."""
        return self._watched_for(worker, beats) > SILENCE

    def watch_anew(self) -> None:
        """Forget for how long each process has been silent."""
        self._seen.clear()

    def _watched_for(self, worker: str, beats: int) -> float:
        """Return the seconds for which this process has seen another one write the same."""
        last, since = self._seen.get(worker, (None, 0.0))
        if last != beats:
            since = self._clock()
            self._seen[worker] = (beats, since)
        return self._clock() - since


def has_ended(worker: Worker) -> bool:
    """Tell whether a process is known to have ended: one of this machine that is not there."""
    own = this_process()
    if worker.host != own.host or os.name != "posix":
        return False
    if (worker.pid, worker.started) == (own.pid, own.started):
        return False
    return _is_alive(worker) is False


def _is_alive(worker: Worker) -> bool | None:
    """Tell whether a process of this machine is alive; None if another may have its number."""
    if worker.pid == os.getpid():
        return False  # its number is ours now
    try:
        os.kill(worker.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's, but alive
    started = _start_of(worker.pid)
    if started is None or worker.started is None:
        return None
    return started == worker.started


_ENDED = ("Z", "X")  # it has ended, and its parent has not asked how

_NEVER = "ended"  # no process started then


def _start_of(pid: int) -> str | None:
    """Return when a process started, by a clock that nobody sets; None if the system hides it."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()  # a name may hold anything
    return _NEVER if state in _ENDED else fields[18]  # ticks since the machine's start
