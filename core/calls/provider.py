"""What a language-model service must do for ig4; plugins implement it with the vendors' clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from ig4.core.calls.prices import Price
from ig4.core.calls.request import CallError, Reply, Request, TransientError

RequestHash = str
Custom = RequestHash  # its earlier name
"""The id that a request has in a batch: its hash in the ledger, 64 hexadecimal digits."""


class NotSubmittedError(TransientError):
    """The service certainly does not have the batch; another try may succeed."""


class BatchLimitError(NotSubmittedError):
    """A batch was larger than the service takes, by itself or beside others that are in line.

    `tokens` is how many it takes in all its batches together, if it says so. `alone` tells that
    the batch is too large whatever else is in line.
    """

    def __init__(self, message: str, *, tokens: int | None = None, alone: bool = False) -> None:
        super().__init__(message, limited=True)
        self.tokens = tokens
        self.alone = alone


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a service is with a batch.

    Of a failed one, `error` is why, where another try may succeed: it was refused as a whole, and
    nothing was paid. `replies` is how many replies its results hold, if the service says so.
    """

    state: Literal["running", "ended", "failed", "cancelled"]
    done: int = 0
    total: int = 0
    message: str = ""
    error: TransientError | None = None
    replies: int | None = None


class Provider(ABC):
    """One service with its key and address, used from one event loop."""

    name: ClassVar[str]
    """Whose interface this is; part of every request's hash."""

    prices: Mapping[str, Price] = {}
    """Known prices by model name; the user's own come first."""

    batch_requests: int = 0
    """How many requests go into one batch; 0 if the service takes no batches."""

    batch_bytes: int = 0
    """How many bytes of requests go into one batch."""

    batch_tokens: int = 0
    """How many input tokens, as `tokens` estimates them, go into one batch; 0 if any number."""

    notice: Callable[[str], None] = staticmethod(lambda _: None)
    """Tells the user a sentence; the engine sets it before `open`."""

    @abstractmethod
    async def open(self) -> None:
        """Make the client.

        Raises:
            PrerequisiteError: there is no key.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close the client's connections."""

    @abstractmethod
    async def send(self, request: Request) -> Reply:
        """Send one request and wait for its reply; does not retry.

        Raises:
            TransientError: another try may succeed.
            RejectedError: this request never will succeed.
            ServiceError: no request will.
        """

    def tokens(self, request: Request) -> int:
        """Estimate the input tokens of a request."""
        return request.text_tokens + 800 * len(request.images)

    def size(self, request: Request) -> int:
        """Estimate the bytes that a request takes in a batch."""
        texts = sum(len(text.encode()) for text in (request.system, request.prompt))
        history = sum(len(text.encode()) for _, text in request.history)
        return 2048 + 2 * (texts + history) + sum(len(i) * 4 // 3 for i in request.images)

    async def submit(self, key: str, requests: Mapping[RequestHash, Request]) -> str:
        """Hand over a batch, marked with `key` where the service allows it; return its id there.

        Raises:
            BatchLimitError: it is too large, or too many are in line.
            NotSubmittedError: the service has not got it; after any other TransientError it may.
            CallError: as for `send`.
        """
        raise NotImplementedError

    async def find(self, key: str, custom: set[RequestHash], since: datetime) -> str | None:
        """Look for a batch that was handed over, but whose id was lost in a crash.

        `since` is when it was recorded, by a clock that may be days wrong: never compare it with
        the service's times.

        Raises:
            TransientError: it is not known yet whether the service has it.
        """
        raise NotImplementedError

    async def batch(self, remote_id: str) -> BatchState:
        """Return how far the service is with a batch.

        Raises:
            NotFoundError: it has no such batch, or not yet, or no more.
        """
        raise NotImplementedError

    def results(self, remote_id: str) -> AsyncIterator[tuple[RequestHash, Reply | CallError]]:
        """Yield the outcome of each request of a batch that ended, in any order.

        Raises:
            NotFoundError: the service does not have the results.
        """
        raise NotImplementedError

    async def cancel(self, remote_id: str) -> None:
        """Ask the service to stop a batch."""
        raise NotImplementedError
