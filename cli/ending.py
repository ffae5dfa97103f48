"""Ends the process of a command in bounded time, whatever plugins have left running in it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from ig4.cli.terminal import streams
from ig4.core.host.watch import LIMIT, time_limit

THREAD_SECONDS = 10.0
"""How long threads that do not end by themselves may go on after the command has finished."""

_NOTICE_SECONDS = 2.0
_EXIT_SECONDS = 60.0
"""How long all else may take that libraries do at the end of a process."""

_LOOK_SECONDS = 0.1
_OWN = ("threading", "concurrent.futures.thread")


def end_at_once(code: int) -> NoReturn:
    """End the process with an exit code, whatever its other threads are doing."""
    with suppress(OSError, RuntimeError):  # nobody reads it, or a thread is writing just now
        streams.flush()
    os._exit(code)


def end_in_time(code: int) -> NoReturn:
    """End the process with an exit code, in seconds, also where a plugin's thread goes on.

    By now the result is written and everything is closed. Python would wait for such a thread for
    ever, and show a traceback at Ctrl-C; here a signal ends the wait.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        end_at_once(code)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    watch = threading.Thread(target=_watch, args=(code,), name="ig4-exit-watch", daemon=True)
    with suppress(RuntimeError):  # no memory for a thread: there is nothing to wait for, either
        watch.start()
    sys.exit(code)


def _watch(code: int) -> None:
    began, told = time.monotonic(), False
    patience = min(THREAD_SECONDS, time_limit())
    while True:
        time.sleep(_LOOK_SECONDS)
        spent, late = time.monotonic() - began, _late_threads()
        if late and spent > patience:
            _say(f"ended without waiting any longer for {late}")
            end_at_once(code)
        if spent > _EXIT_SECONDS:
            _say("ended without waiting any longer for what libraries do at the end")
            end_at_once(code)
        if late and not told and spent > min(_NOTICE_SECONDS, patience / 2):
            told = True
            _say(f"done, and waiting for {late} at most {patience:g} s ({LIMIT} makes it shorter)")


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(2, f"ig4: {text}\n".encode(errors="replace"))


def _late_threads() -> str:
    """Name the threads that keep the process alive, and whose code they run; "" if none does."""
    frames = sys._current_frames()
    names = []
    for thread in threading.enumerate():
        if thread is threading.main_thread() or thread.daemon:
            continue
        module = _module_of(frames.get(thread.ident or 0))
        names.append(f"thread {thread.name!r}" + (f" of {module}" if module else ""))
    return ", ".join(names)


def _module_of(frame: FrameType | None) -> str | None:
    """Return the module in which a thread began its work."""
    found = None
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name not in _OWN:
            found = str(name)
        frame = frame.f_back
    return found
