"""Lets SIGTERM and SIGHUP end a command as Ctrl-C does: what is done is kept and recorded."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from contextlib import suppress
from types import FrameType

from ig4.core.host.watch import end_whatever_is_ignored

SIGNALS = ("SIGTERM", "SIGHUP")
_SOON = 0.05  # seconds, in which a finaliser is over

_received: list[int] = []
_again: list[threading.Timer] = []


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP do what SIGINT does, in the main thread.

    A signal that is ignored stays ignored: `nohup` keeps a command alive.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for name in SIGNALS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _end_all_the_same


def received() -> signal.Signals | None:
    """Return the signal that ended the command, unless that was Ctrl-C."""
    return signal.Signals(_received[0]) if _received else None


def end_once() -> None:
    """Send no signal again: the command has ended, and its exit code is known."""
    while _again:
        timer = _again.pop()
        timer.cancel()
        with suppress(KeyboardInterrupt):  # it was sent at this very moment
            timer.join()


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not disturb the end
    _received.append(number)
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        raise KeyboardInterrupt
    end_whatever_is_ignored()
    # Whoever handles Ctrl-C in a way of its own, as asyncio does, ends in that way.
    signal.raise_signal(signal.SIGINT)


def _end_all_the_same(unraisable: sys.UnraisableHookArgs) -> None:
    """Send a signal again that came while Python was in a finaliser, where it is lost."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    number = signal.SIGINT
    if _received:
        number = signal.Signals(_received.pop())
        signal.signal(number, _end)
    timer = threading.Timer(_SOON, _send, (number,))
    timer.daemon = True
    _again.append(timer)
    timer.start()


def _send(number: signal.Signals) -> None:
    """Send a signal to the main thread, which may be waiting for something."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(number)
