"""How fast requests may be sent: at a time, a minute, and none while the service says wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiolimiter import AsyncLimiter

_TOKEN_SECONDS = 6.0  # tokens are counted over this time


class Limits:
    """Concurrency, requests and tokens a minute, and pauses, for one service."""

    def __init__(
        self,
        concurrency: int,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self.concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._requests = _limiter(requests_per_minute) if requests_per_minute else None
        self._tokens = (
            AsyncLimiter(tokens_per_minute * _TOKEN_SECONDS / 60, _TOKEN_SECONDS)
            if tokens_per_minute
            else None
        )
        self._paused_until = 0.0

    @asynccontextmanager
    async def slot(self, tokens: int) -> AsyncIterator[None]:
        """Wait until a request of `tokens` may be sent; hold its place while it is on its way."""
        async with self._slots:
            await self._wait_for_pause()
            if self._requests is not None:
                await self._requests.acquire()
            if self._tokens is not None:
                await self._take_tokens(tokens)
            await self._wait_for_pause()
            yield

    def pause(self, seconds: float) -> None:
        """Let no request start for `seconds`: the service asked for it."""
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until = max(self._paused_until, until)

    async def _wait_for_pause(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._paused_until - loop.time()) > 0:
            await asyncio.sleep(left)

    async def _take_tokens(self, tokens: int) -> None:
        assert self._tokens is not None
        # A request may have more tokens than the bucket holds at a time.
        while tokens > 0:
            part = min(float(tokens), self._tokens.max_rate)
            await self._tokens.acquire(part)
            tokens -= int(part) or tokens


def _limiter(per_minute: float) -> AsyncLimiter:
    """Return a limiter under which no minute has more; a full bucket would allow twice as many."""
    if per_minute >= 60:
        return AsyncLimiter(per_minute / 60, 1.0)
    return AsyncLimiter(1.0, 60 / per_minute)
