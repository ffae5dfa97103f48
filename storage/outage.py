"""Waits for a server that was there before and cannot be reached now: it may be restarting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from ig4.storage.connect import describe, is_sqlite
from ig4.storage.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

PATIENCE = 300.0
"""For how many seconds a server is waited for."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
"""Seconds between two tries. When the server is back, all processes are soon heard again: nobody is
taken for gone."""


class Outage:
    """The times in which the server of an engine cannot be reached, as this process sees them.

    `notice` hears when one begins, and when it is over. A server is waited for if it `was_reached`.
    """

    def __init__(self, engine: Engine, patience: float = PATIENCE) -> None:
        self.engine = engine
        self.patience = patience
        self.notice: Callable[[str], None] = lambda _text: None
        self.was_reached = False
        self._lock = threading.Lock()
        self._since: float | None = None

    def connect(self) -> Connection:
        """Return a connection; a server that was reached before is waited for, ever longer.

        Raises:
            OperationalError: it was never reached.
            StorageError: it was not reached again in time; from then on it is not waited for.
        """
        began = time.monotonic()
        for pause in _pauses():
            try:
                connection = self.engine.connect()
            except OperationalError as error:
                if not self.was_reached or is_sqlite(self.engine.url):
                    raise
                left = began + self.patience - time.monotonic()
                if left <= 0:
                    self.was_reached = False
                    raise StorageError(self._told(error)) from error
                self._begin()
                time.sleep(min(pause, left))
            else:
                self._end()
                return connection
        raise AssertionError

    def _told(self, error: OperationalError) -> str:
        why = str(error.orig).strip().splitlines()
        return (
            f"{describe(self.engine.url)} could not be reached again for "
            f"{self.patience:.0f} s ({why[0] if why else 'no answer'}). What "
            "was committed is safe; the same command continues from there."
        )

    def _begin(self) -> None:
        with self._lock:  # of several threads that wait, one says it
            if self._since is not None:
                return
            self._since = time.monotonic()
        self.notice(
            f"the database cannot be reached: waiting for it, {self.patience / 60:.0f} minutes at "
            "most; nothing that was stored is lost"
        )

    def _end(self) -> None:
        with self._lock:
            self.was_reached = True
            since, self._since = self._since, None
        if since is not None:
            self.notice(f"the database is there again after {time.monotonic() - since:.0f} s")


def _pauses() -> Iterator[float]:
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
