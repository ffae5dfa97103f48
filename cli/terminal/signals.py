"""Lets SIGTERM and SIGHUP end a command as Ctrl-C does: what is done is kept and recorded."""

from __future__ import annotations

import signal
import threading
from types import FrameType

SIGNALS = ("SIGTERM", "SIGHUP")

_received: list[int] = []


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


def received() -> signal.Signals | None:
    """Return the signal that ended the command, unless that was Ctrl-C."""
    return signal.Signals(_received[0]) if _received else None


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not disturb the end
    _received.append(number)
    if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        raise KeyboardInterrupt
    # Whoever handles Ctrl-C in a way of its own, as asyncio does, ends in that way.
    signal.raise_signal(signal.SIGINT)
