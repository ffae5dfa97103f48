"""The ledger as the engine uses it: who asks a request, what came of it, never the same twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from ig4.core.calls.groupcommit import GroupCommit
from ig4.core.calls.request import Reply, Request
from ig4.core.calls.worker import BEAT_SECONDS, Heartbeat, Worker, this_process
from ig4.storage import calls
from ig4.storage.calls import CallOutcome, CallRow
from ig4.storage.errors import DatabaseBusyError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.store import Store

T = TypeVar("T")

_LOOK_AGAIN = 0.25  # seconds

_PATIENCE = 40
"""How often a locked database is tried again, for as long as a connection waits each time."""

_LINGER = 0.03
"""Seconds that claims wait for company: others wait for their turn to be sent meanwhile."""


class Ledger:
    """The calls of one component in one run. Use `opened()`.

    With `renew`, replies that could not be read are asked for anew instead of read again.
    """

    def __init__(
        self,
        store: Store,
        provider: str,
        component_id: int | None,
        run_id: int | None,
        *,
        renew: bool = False,
    ) -> None:
        self.store = store
        self.provider = provider
        self.component_id = component_id
        self.run_id = run_id
        self.renew = renew
        self.worker = this_process()
        self._renewed: set[str] = set()
        self._watch = Heartbeat()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        """Sign this process on, say that it lives, and free at the end what was not finished."""
        with ThreadPoolExecutor(1, thread_name_prefix="ig4-ledger") as thread:
            self.thread = thread
            self._claims: GroupCommit[tuple[str, str], CallRow | None] = GroupCommit(
                self._claim, thread, _LINGER
            )
            self._outcomes: GroupCommit[CallOutcome, None] = GroupCommit(self._record, thread)
            self._freed: GroupCommit[str, None] = GroupCommit(self._release, thread)
            self._unread: GroupCommit[tuple[str, str], None] = GroupCommit(self._mark, thread)
            await asyncio.to_thread(self._sign_on)
            beating = asyncio.create_task(self._beat())
            try:
                yield self
            finally:
                beating.cancel()
                for grouped in (self._claims, self._outcomes, self._unread, self._freed):
                    await grouped.drain()
                with suppress(asyncio.CancelledError):
                    await beating
                self._sign_off()

    async def claim(self, request: Request, known_hash: str) -> CallRow | None:
        """Return the row of a request that has a reply, or None once this process may send it.

        Waits while another process, or another task, is at it.
        """
        while True:
            row = await self._claims((known_hash, request.model))
            if row is None or row.state != calls.CLAIMED:
                return row
            await asyncio.sleep(_LOOK_AGAIN)

    async def record(self, outcome: CallOutcome) -> None:
        """Commit what came of a request; returns when it is safe."""
        await self._outcomes(outcome)

    async def release(self, known_hash: str) -> None:
        """Give a claim back, for whoever waits for it here or in another process."""
        await self._freed(known_hash)

    async def mark_unreadable(self, known_hash: str, reason: str) -> None:
        """Commit that a reply does not answer its request."""
        await self._unread((known_hash, reason))

    def _claim(self, wanted: Sequence[tuple[str, str]]) -> list[CallRow | None]:
        models = dict(wanted)
        rows = [
            {
                "request_hash": known_hash,
                "provider": self.provider,
                "model": model,
                "component_id": self.component_id,
                "run_id": self.run_id,
            }
            for known_hash, model in models.items()
        ]
        again = [row for row in rows if self.renew and row["request_hash"] not in self._renewed]
        once = [row for row in rows if row not in again]
        known: dict[str, CallRow] = {}
        for part, renew in ((again, True), (once, False)):
            if part:
                known |= self._write(partial(self._claim_part, part, renew=renew))
        if self.renew:
            # What this very run has asked for is not asked again, whatever came of it.
            self._renewed.update(models)
        claimed_by_others = {
            row.worker for row in known.values()
            if row.state == calls.CLAIMED and row.worker != self.worker.id
        }  # fmt: skip
        if claimed_by_others:
            self._forget_gone()
        # Of two tasks that ask the same at once, the first gets it and the second waits.
        given: list[CallRow | None] = []
        mine: set[str] = set()
        for known_hash, _ in wanted:
            if known_hash in known or known_hash not in mine:
                given.append(known.get(known_hash))
                mine.add(known_hash)
            else:
                given.append(CallRow(known_hash, calls.CLAIMED, self.worker.id))
        return given

    def _claim_part(
        self, part: Sequence[Mapping[str, Any]], connection: Connection, *, renew: bool
    ) -> dict[str, CallRow]:
        return calls.claim(connection, self.worker.id, part, renew=renew)

    def _record(self, outcomes: Sequence[CallOutcome]) -> list[None]:
        self._write(lambda connection: calls.record(connection, outcomes))
        return [None] * len(outcomes)

    def _release(self, hashes: Sequence[str]) -> list[None]:
        self._write(lambda connection: calls.release(connection, self.worker.id, hashes))
        return [None] * len(hashes)

    def _mark(self, reasons: Sequence[tuple[str, str]]) -> list[None]:
        self._write(lambda connection: calls.mark_unreadable(connection, dict(reasons)))
        return [None] * len(reasons)

    def _sign_on(self) -> None:
        with self.store.writing() as connection:
            calls.record_heartbeat(connection, self.worker.id, self.worker.host, self.worker.pid)
        self._forget_gone()

    def _sign_off(self) -> None:
        self._write(
            lambda connection: calls.release_all(connection, self.worker.id, self.component_id)
        )

    def alive(self) -> set[str]:
        """Return the processes that are at work on this database."""
        self._forget_gone()
        with self.store.reading() as connection:
            return {worker for worker, *_ in calls.workers(connection)}

    def _forget_gone(self) -> None:
        with self.store.writing() as connection:
            gone = [
                worker
                for worker, host, pid, seen_at in calls.workers(connection)
                if self._watch.is_gone(Worker(worker, host, pid), seen_at)
            ]
            calls.delete_workers(connection, gone)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with suppress(DatabaseBusyError):  # the next one will do
                await asyncio.to_thread(self._sign_on)

    def _write(self, do: Callable[[Connection], T]) -> T:
        """Do something in a transaction, also if another process writes for long.

        What is to be written was paid for, or others on their way would be given up.
        """
        for _ in range(_PATIENCE - 1):
            with suppress(DatabaseBusyError), self.store.writing() as connection:
                return do(connection)
        with self.store.writing() as connection:
            return do(connection)


def reply_of(row: CallRow) -> Reply:
    """Return the reply that a row holds."""
    return Reply(
        text=row.reply or "",
        finish=row.finish or "",
        input_tokens=row.input_tokens,
        cached_tokens=row.cached_tokens,
        output_tokens=row.output_tokens,
        refused=row.finish == REFUSED,
    )


REFUSED = "refusal"
"""What `finish` says of a reply in which the model refused."""
