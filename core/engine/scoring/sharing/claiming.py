"""Claims of this process on what is to be computed, among all that work on one database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.presence import Presence
from ig4.core.counts import counted
from ig4.storage import claims
from ig4.storage.claims import ClaimRow, Span
from ig4.storage.connect import repeat_if_lost
from ig4.storage.errors import DatabaseBusyError, StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.core.engine.session import Session

T = TypeVar("T")

_TRIES = 40
"""How often work on a locked database is tried; each try waits as long as a connection does."""

_EVERYTHING = 2**62
"""Beyond the last unit of any data set."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two looks at what others have claimed."""


class ClaimLostError(Exception):
    """What was computed is another's by now: this process was taken for gone."""


class Claims:
    """What this process has claimed of a data set. Use `opened()`."""

    def __init__(self, session: Session, dataset_id: int) -> None:
        self.session = session
        self.dataset_id = dataset_id
        self.presence = Presence(session.store)
        self.worker = self.presence.worker.id

    @contextmanager
    def opened(self) -> Iterator[Claims]:
        """Let others see that this process lives; what it has claimed is free at the end."""
        insist(self.presence.sign_on)
        with self.presence.beating():
            try:
                yield self
            finally:
                with suppress(StorageError):  # then others see that this process has ended
                    insist(self._release_all)

    def take(self, choose: Callable[[Connection, Sequence[ClaimRow]], Sequence[Span]]) -> None:
        """Claim what `choose` returns, given what others have claimed at that moment.

        All of it is one transaction in which nobody else claims anything; it may be repeated.
        """
        insist(partial(self._take, choose))

    def _take(self, choose: Callable[[Connection, Sequence[ClaimRow]], Sequence[Span]]) -> None:
        with self.session.store.writing() as connection:
            claims.lock(connection, self.dataset_id)
            # Whoever has claims is in the list of processes.
            self.presence.beat(connection)
            chosen = choose(connection, self.of_others(connection))
            claims.put(connection, self.dataset_id, self.worker, chosen)

    def of_others(self, connection: Connection) -> list[ClaimRow]:
        """Return what other processes have claimed of the data set."""
        rows = claims.list_all(connection, self.dataset_id)
        return [row for row in rows if row.worker != self.worker]

    def release(self, connection: Connection, span: Span) -> None:
        """Give a claim back in the transaction that stores what was computed.

        Raises:
            ClaimLostError: it is not this process's any more.
        """
        if not claims.release(connection, self.dataset_id, self.worker, span):
            raise ClaimLostError

    def drop(self, span: Span) -> None:
        """Give a claim back of which nothing was computed."""

        def release() -> None:
            with self.session.store.writing() as connection:
                claims.release(connection, self.dataset_id, self.worker, span)

        insist(release)

    def _release_all(self) -> None:
        with self.session.store.writing() as connection:
            claims.release_all(connection, self.dataset_id, self.worker)

    def wait(self, is_free: Callable[[Sequence[ClaimRow]], bool]) -> None:
        """Return when `is_free` of what others have claimed; those that are gone lose theirs."""
        pause = _SHORTEST_PAUSE
        while not is_free(insist(self._look)):
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._take_over()

    def _look(self) -> list[ClaimRow]:
        with self.session.store.reading() as connection:
            return self.of_others(connection)

    def _take_over(self) -> None:
        """Free what processes had claimed that have ended, or are silent for long."""
        self._tell_freed(insist(self.presence.forget_gone), "has ended")
        self._tell_freed(insist(self.presence.release_silent), "gives no sign of life")

    def _tell_freed(self, freed: Mapping[str, int], why: str) -> None:
        for count in freed.values():
            self.session.notice(
                f"another process {why}: {counted(count, 'batch', 'batches')} that it had begun "
                "can be computed by others"
            )


@contextmanager
def whole_component(session: Session, dataset_id: int, component_id: int) -> Iterator[None]:
    """Claim a component as a whole while the block runs; waits while another process has it."""
    own, span = Claims(session, dataset_id), Span(component_id, 0, _EVERYTHING)

    def is_free(rows: Sequence[ClaimRow]) -> bool:
        return all(row.span.component_id != component_id for row in rows)

    def choose(_connection: Connection, rows: Sequence[ClaimRow]) -> Sequence[Span]:
        taken[:] = [span] if is_free(rows) else []
        return taken

    taken: list[Span] = []
    with own.opened():
        while not taken:
            own.wait(is_free)
            own.take(choose)
        yield


def insist(work: Callable[[], T]) -> T:
    """Do work that is one transaction, and may be done twice, also where others are in the way.

    It is done again if the connection broke, or if another process had locked the database.

    Raises:
        StorageError: that happened too often.
    """
    for _ in range(_TRIES - 1):
        with suppress(DatabaseBusyError):
            return repeat_if_lost(work, idempotent=True)
    return repeat_if_lost(work, idempotent=True)
