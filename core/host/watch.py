"""Watches over code of plugins: says which one is waited for, and ends it after a time."""

from __future__ import annotations

import _thread
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
_ending = threading.Event()

SWITCH = "IG4_PLUGINS"
"""The environment variable that leaves plugins out: "off", or the names of those to load."""

LIMIT = "IG4_PLUGIN_TIMEOUT"
"""The environment variable with the seconds that a plugin may take to be imported."""

_NOTICE_SECONDS = 3.0
_LIMIT_SECONDS = 60.0
COMPONENT_SECONDS = 300.0
"""How long a component's module may take by default: the libraries of models take long."""

_OPEN_NOTICE_SECONDS = 20.0
"""After how long it is said which component is still being opened."""

_AGAIN_SECONDS = 1.0
_GRACE_SECONDS = 5.0
"""How long at least a plugin may take to end once it is told to."""

_log = logging.getLogger("ig4.plugins")


class _ExpiredError(BaseException):
    """Raised within a plugin whose time is over; no `except Exception` of its own may catch it."""


class _Opens(Protocol):
    def open(self) -> None: ...


def time_limit(default: float = _LIMIT_SECONDS) -> float:
    """Return the seconds that a plugin may take to be imported."""
    try:
        seconds = float(os.environ.get(LIMIT, ""))
    except ValueError:
        return default
    return seconds if seconds > 0 else default


def open_named(component: _Opens, label: str) -> None:
    """Open a component, which may take as long as its model does, and name it if that is long."""
    notice = threading.Timer(
        _OPEN_NOTICE_SECONDS, _log.warning, ("still waiting for %s to load what it needs", label)
    )
    notice.daemon = True
    notice.start()
    try:
        component.open()
    finally:
        notice.cancel()


def end_whatever_is_ignored() -> None:
    """Let the next interrupt end a plugin's code although interrupts are ignored.

    For signals that end a command by one: a background job of a shell ignores Ctrl-C alone.
    """
    _ending.set()


def call_watched(call: Callable[[], T], what: str, limit: float | None = None) -> T:
    """Return what a plugin's code returns; `what` names it while it is waited for.

    Raises:
        TimeoutError: it took longer than `limit` seconds. Only in the main thread; elsewhere it
            is named, and waited for.
        RuntimeError: it raised KeyboardInterrupt itself, or another exception that is no Exception.
        KeyboardInterrupt: the user interrupted it; the log has said what was running.
        Exception, SystemExit: as the code raises.
    """
    watch = _Watch(call, what, limit)
    try:
        return watch.run()
    except _ExpiredError:
        raise TimeoutError(
            f"it took longer than {limit:g} seconds; {LIMIT} sets how long it may"
        ) from None
    except KeyboardInterrupt:
        if not watch.interrupted:
            raise RuntimeError("it raised KeyboardInterrupt") from None
        _log.warning("interrupted while waiting for %s; %s=off leaves plugins out", what, SWITCH)
        raise
    except (Exception, SystemExit):
        raise
    except BaseException as error:
        raise RuntimeError(f"it raised {type(error).__name__}") from error


class _Watch(Generic[T]):
    """One call of a plugin's code, and the thread that waits beside it."""

    def __init__(self, call: Callable[[], T], what: str, limit: float | None) -> None:
        self.call = call
        self.what = what
        # Only code of the main thread can be ended, by a signal.
        self._main = threading.current_thread() is threading.main_thread()
        self.limit = limit if self._main else None
        self.interrupted = False
        self._expired = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._ignores_interrupts = False

    def run(self) -> T:
        """Return what the call returns; raises as it does, or _ExpiredError."""
        watcher = threading.Thread(target=self._wait, name="ig4-plugin-watch", daemon=True)
        with self._own_handler():
            watcher.start()
            try:
                return self.call()
            finally:
                self._over.set()
                with self._lock:  # a signal that is on its way arrives before this is left
                    pass

    @contextmanager
    def _own_handler(self) -> Iterator[None]:
        """Tell the user's Ctrl-C from the watcher's signal; only the main thread gets either."""
        if not self._main:
            yield
            return
        before = signal.getsignal(signal.SIGINT)
        self._ignores_interrupts = before is signal.SIG_IGN
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            # A handler that the plugin has set stays; None is one that was not set from Python.
            if signal.getsignal(signal.SIGINT) == self._on_signal and before is not None:
                signal.signal(signal.SIGINT, before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._expired:
            if not self._over.is_set():
                raise _ExpiredError
        elif not self._ignores_interrupts or _ending.is_set():
            self.interrupted = True
            raise KeyboardInterrupt

    def _wait(self) -> None:
        early = _NOTICE_SECONDS if self.limit is None else min(_NOTICE_SECONDS, self.limit / 2)
        if self._over.wait(early):
            return
        _log.warning("waiting for %s; %s=off leaves plugins out", self.what, SWITCH)
        if self.limit is None or self._over.wait(self.limit - early):
            return
        last = time.monotonic() + max(self.limit, _GRACE_SECONDS)
        while True:  # code that catches everything is told again
            if time.monotonic() > last:
                self._end_process()
            with self._lock:
                if self._over.is_set():
                    return
                self._expired = True
                _interrupt_main_thread()
            if self._over.wait(_AGAIN_SECONDS):
                return

    def _end_process(self) -> None:
        """End all of it: the code heeds no signal, so that the user's Ctrl-C would do nothing."""
        text = (
            f"Error: ig4 waited too long for {self.what}, which heeds no signal: "
            f"{SWITCH}=off leaves plugins out\n"
        )
        with suppress(OSError):
            os.write(2, text.encode())
        os._exit(1)


def _interrupt_main_thread() -> None:
    if hasattr(signal, "pthread_kill"):  # this also ends a sleep, and a read
        identity = threading.main_thread().ident
        if identity is not None:
            signal.pthread_kill(identity, signal.SIGINT)
    else:
        _thread.interrupt_main()


def is_wanted(dist: str) -> bool:
    """Return whether the environment wants the plugins of a distribution (a normalised name)."""
    said = os.environ.get(SWITCH, "").strip().lower()
    if said in ("", "on", "all"):
        return True
    names = {name.strip().replace("_", "-").replace(".", "-") for name in said.split(",")}
    return dist == "ig4" or dist in names - {"off", "none"}
