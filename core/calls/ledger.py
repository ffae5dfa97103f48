"""The ledger of one run: which process sends a request, and its outcome; none is sent twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ig4.core.calls.groupcommit import GroupCommit
from ig4.core.calls.presence import Presence
from ig4.core.calls.request import Reply, Request
from ig4.core.calls.worker import BEAT_SECONDS, SILENCE, uptime
from ig4.storage import calls
from ig4.storage.calls import CallOutcome, CallRow
from ig4.storage.connect import repeat_if_lost
from ig4.storage.errors import DatabaseBusyError, StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ig4.storage.store import Store

T = TypeVar("T")

Logprobs: TypeAlias = tuple[tuple[tuple[str, float], ...], ...]
"""For each token of a reply, the likeliest tokens in its place with their log-probabilities."""

_POLL_SECONDS = 0.25

_WRITE_TRIES = 40
"""How often a write to a locked database is tried; each try waits as long as a connection does."""

_LINGER = 0.03
"""Seconds that a claim waits for others to share its transaction. This delays nothing: claimed
requests wait for their turn to be sent anyway."""


class Ledger:
    """The calls of one component in one run. Use `opened()`.

    With `renew`, requests whose replies could not be read are sent anew, not read again.
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
        self.presence = Presence(store)
        self.worker = self.presence.worker
        self._renewed: set[str] = set()
        self._limits: list[int] | None = None
        self._last_beat = 0.0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        """Sign this process on, keep its heartbeat, and free unfinished claims at the end."""
        with ThreadPoolExecutor(1, thread_name_prefix="ig4-ledger") as thread:
            self.thread = thread
            self._claims: GroupCommit[tuple[str, Request], CallRow | None] = GroupCommit(
                self._claim, thread, _LINGER
            )
            self._outcomes: GroupCommit[CallOutcome, None] = GroupCommit(self._record, thread)
            self._releases: GroupCommit[str, None] = GroupCommit(self._release, thread)
            self._unreadable: GroupCommit[tuple[str, str | None, str], None] = GroupCommit(
                self._mark, thread
            )
            await asyncio.to_thread(self._sign_on)
            heartbeat = asyncio.create_task(self._keep_alive())
            try:
                yield self
            finally:
                heartbeat.cancel()
                for group in (self._claims, self._outcomes, self._unreadable, self._releases):
                    await group.drain()
                with suppress(asyncio.CancelledError):
                    await heartbeat
                self._sign_off()

    async def claim(self, request: Request, request_hash: str) -> CallRow | None:
        """Return the row of a request that has a reply, or None once this process may send it.

        Waits while another process, or another task, is sending it. The row may be that of the
        same request at another limit of tokens; its hash says so.
        """
        while True:
            row = await self._claims((request_hash, request))
            if row is None or row.state != calls.CLAIMED:
                return row
            await asyncio.sleep(_POLL_SECONDS)

    async def confirm(self, request: Request, request_hash: str) -> CallRow | None:
        """Return None if a claimed request may be sent now, or its row if it has a reply by now.

        Whoever was silent for long, because its machine slept or the database was out of reach,
        may have been taken for gone, and its requests may be another's.
        """
        if uptime() - self._last_beat < SILENCE / 2:
            return None
        row = await asyncio.to_thread(self._row_after_beat, request_hash)
        if row is not None and (row.state, row.worker) == (calls.CLAIMED, self.worker.id):
            return None
        return await self.claim(request, request_hash)

    async def record(self, outcome: CallOutcome) -> None:
        """Commit the outcome of a request; returns once it is committed."""
        await self._outcomes(outcome)

    async def release(self, request_hash: str) -> None:
        """Give a claim back, for others that wait for it, here or in another process."""
        await self._releases(request_hash)

    async def mark_unreadable(self, request_hash: str, reply: str | None, reason: str) -> None:
        """Commit that a reply does not answer its request; any other reply to it stays good."""
        await self._unreadable((request_hash, reply, reason))

    def new_rows(self, requests: Mapping[str, Request]) -> list[dict[str, Any]]:
        """Return what `calls.claim` wants to know of requests, given by hash."""
        return [
            {
                "request_hash": request_hash,
                "provider": self.provider,
                "model": request.model,
                "component_id": self.component_id,
                "run_id": self.run_id,
            }
            for request_hash, request in requests.items()
        ]

    def elsewhere(self, connection: Connection, requests: Mapping[str, Request]) -> calls.Elsewhere:
        """Return what finds the hashes of these requests at other limits of tokens."""
        if self._limits is None:
            self._limits = calls.known_limits(connection)
        return at_other_limits(self.provider, self._limits, requests)

    def _claim(self, requests: Sequence[tuple[str, Request]]) -> list[CallRow | None]:
        by_hash = dict(requests)
        rows = self.new_rows(by_hash)
        to_renew = [row for row in rows if self.renew and row["request_hash"] not in self._renewed]
        others = [row for row in rows if row not in to_renew]
        known: dict[str, CallRow] = {}
        for part, renew in ((to_renew, True), (others, False)):
            if part:
                # Done twice, it would take its own claims for another's.
                claim = partial(self._claim_part, part, by_hash, renew=renew)
                known |= self._write(claim, idempotent=False)
        if self.renew:
            # A run renews a request only once, whatever its outcome.
            self._renewed.update(by_hash)
        claimed_by_others = {
            row.worker for row in known.values()
            if row.state == calls.CLAIMED and row.worker != self.worker.id
        }  # fmt: skip
        if claimed_by_others:
            self.presence.forget_gone()
        # Of two tasks with the same request, the first gets the claim and the second waits.
        results: list[CallRow | None] = []
        mine: set[str] = set()
        for request_hash, _ in requests:
            if request_hash in known or request_hash not in mine:
                results.append(known.get(request_hash))
                mine.add(request_hash)
            else:
                results.append(CallRow(request_hash, calls.CLAIMED, self.worker.id))
        return results

    def _claim_part(
        self,
        part: Sequence[Mapping[str, Any]],
        by_hash: Mapping[str, Request],
        connection: Connection,
        *,
        renew: bool,
    ) -> dict[str, CallRow]:
        elsewhere = self.elsewhere(connection, by_hash)
        return calls.claim(connection, self.worker.id, part, renew=renew, elsewhere=elsewhere)

    def _record(self, outcomes: Sequence[CallOutcome]) -> list[None]:
        self._write(lambda connection: calls.record(connection, outcomes))
        return [None] * len(outcomes)

    def _release(self, hashes: Sequence[str]) -> list[None]:
        self._write(lambda connection: calls.release(connection, self.worker.id, hashes))
        return [None] * len(hashes)

    def _mark(self, judged: Sequence[tuple[str, str | None, str]]) -> list[None]:
        by_hash = {known: (reply, reason) for known, reply, reason in judged}
        self._write(lambda connection: calls.mark_unreadable(connection, by_hash))
        return [None] * len(judged)

    def _sign_on(self) -> None:
        self._last_beat = self.presence.sign_on()

    def _row_after_beat(self, request_hash: str) -> CallRow | None:
        """Record that this process lives, and only then look whose a request is."""
        self._last_beat = self._write(self.presence.beat)

        def look() -> CallRow | None:
            with self.store.reading() as connection:
                return calls.lookup(connection, [request_hash]).get(request_hash)

        return repeat_if_lost(look, idempotent=True)

    def _sign_off(self) -> None:
        self._write(
            lambda connection: calls.release_all(connection, self.worker.id, self.component_id)
        )

    def alive(self) -> set[str]:
        """Return the ids of the processes that are at work on this database."""
        return self.presence.alive()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with suppress(StorageError):  # the next one will do
                await asyncio.to_thread(self._sign_on)

    def _write(self, statements: Callable[[Connection], T], *, idempotent: bool = True) -> T:
        """Run statements in a transaction; waits long if another process is writing.

        Giving up would lose replies that were paid for, or end requests on their way. A power cut
        after it has returned loses none. If the connection breaks, they are run again, also where
        nobody knows whether they were committed, unless they are not `idempotent`.
        """

        def write() -> T:
            with self.store.writing(durable=True) as connection:
                return statements(connection)

        for _ in range(_WRITE_TRIES - 1):
            with suppress(DatabaseBusyError):
                return repeat_if_lost(write, idempotent=idempotent)
        return repeat_if_lost(write, idempotent=idempotent)


def at_other_limits(
    provider: str, limits: Sequence[int], requests: Mapping[str, Request]
) -> calls.Elsewhere:
    """Return what finds the hashes of requests, given by hash, at other limits of tokens."""

    def elsewhere(request_hash: str) -> dict[str, bool]:
        request = requests[request_hash]
        hashes = request.hashes_at(provider, limits)
        return {other: limit >= request.max_tokens for other, limit in hashes.items()}

    return elsewhere


def reply_of(row: CallRow) -> Reply:
    """Return the reply that a row holds."""
    text, logprobs = unpack_reply(row.reply or "")
    return Reply(
        text=text,
        finish=row.finish or "",
        input_tokens=row.input_tokens,
        cached_tokens=row.cached_tokens,
        output_tokens=row.output_tokens,
        refused=row.finish == REFUSED,
        logprobs=logprobs,
    )


def pack_reply(reply: Reply) -> str:
    """Return the text that the ledger keeps of a reply: its own, or JSON with log-probabilities.

    So that no text is taken for such JSON, one that begins as it does is packed, too.
    """
    if reply.logprobs is None and not reply.text.startswith(_PACKED):
        return reply.text
    kept = {"text": reply.text, "logprobs": reply.logprobs}
    return _PACKED + json.dumps(kept, ensure_ascii=True, separators=(",", ":"))


def unpack_reply(kept: str) -> tuple[str, Logprobs | None]:
    """Return the text and the log-probabilities of a reply that the ledger keeps."""
    if not kept.startswith(_PACKED):
        return kept, None
    try:
        found = json.loads(kept.removeprefix(_PACKED))
        text, places = found["text"], found["logprobs"]
        if places is None:
            return str(text), None
        return str(text), tuple(
            tuple((str(token), float(value)) for token, value in place) for place in places
        )
    except (ValueError, TypeError, KeyError):
        return kept, None  # the reply of an earlier ig4, which by chance begins like this


_PACKED = "ig4-logprobs:"
"""What a reply with log-probabilities begins with in the ledger."""


REFUSED = "refusal"
"""What `finish` says of a reply in which the model refused."""
