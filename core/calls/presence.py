"""This process among those at work on a database: its beats, and which of the others are gone."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ig4.core.calls.worker import BEAT_SECONDS, SILENCE, Heartbeat, Worker, this_process, uptime
from ig4.storage import workers
from ig4.storage.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.store import Store
    from ig4.storage.workers import WorkerRow

_UNWATCHED = 15.0
"""After so many seconds without a look nobody knows who was silent meanwhile, and who could not
reach the database either."""

_beats = itertools.count(1)
"""The beats of this process, whichever part of it writes them."""


class Presence:
    """Records that this process is at work, and watches the beats of others."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self.worker = this_process()
        self._clock = clock
        self._heartbeat = Heartbeat(clock)
        self._looked = clock()

    def beat(self, connection: Connection) -> float:
        """Record in a transaction that this process lives; returns its uptime before that."""
        began, own = uptime(), self.worker
        workers.record_heartbeat(connection, own.id, own.host, own.pid, own.started, next(_beats))
        return began

    def sign_on(self) -> float:
        """Record that this process lives, and forget those that have ended."""
        with self.store.writing() as connection:
            began = self.beat(connection)
        self.forget_gone()
        return began

    def alive(self) -> set[str]:
        """Return the ids of the processes that are at work on this database."""
        self.forget_gone()
        with self.store.reading() as connection:
            return {row.id for row in workers.list_all(connection)}

    def forget_gone(self) -> dict[str, int]:
        """Release what processes claimed that have ended, and forget them.

        Returns how many batches of scorers were released, by process.
        """
        gone = [row for row in self._others() if self._is_gone(row)]
        if not gone:
            return {}
        with self.store.writing() as connection:
            return workers.delete_gone(connection, gone)

    def any_silent(self) -> bool:
        """Tell whether the server has long not heard of another process."""
        return any(row.silence is not None and row.silence > SILENCE for row in self._others())

    def release_silent(self) -> dict[str, int]:
        """Release the batches of scorers that processes claimed which are there, but do nothing.

        Such a process may be stopped, or its machine asleep. What it computes of them later is not
        stored. Returns how many, by process.
        """
        silent = [row for row in self._others() if self._heartbeat.is_silent(row.id, row.beats)]
        if not silent:
            return {}
        with self.store.writing() as connection:
            return workers.release_batches(connection, silent)

    def _others(self) -> Sequence[WorkerRow]:
        with self.store.reading() as connection:
            rows = workers.list_all(connection)
        now = self._clock()
        if now - self._looked > _UNWATCHED:
            self._heartbeat.watch_anew()
        self._looked = now
        return [row for row in rows if row.id != self.worker.id]

    def _is_gone(self, row: WorkerRow) -> bool:
        worker = Worker(row.id, row.host, row.pid, row.started)
        return self._heartbeat.is_gone(worker, row.beats, row.silence)

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Let a thread record every few seconds that this process lives."""
        over = threading.Event()
        thread = threading.Thread(
            target=self._keep_alive, args=(over.wait,), name="ig4-beats", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(BEAT_SECONDS)  # it may be waiting for a server that is gone

    def _keep_alive(self, is_over: Callable[[float], bool]) -> None:
        while not is_over(BEAT_SECONDS):
            with suppress(StorageError):  # the next one will do
                self._beat_alone()

    def _beat_alone(self) -> None:
        with self.store.writing() as connection:
            self.beat(connection)
