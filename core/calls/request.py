"""Requests to a language model, its replies, and the errors that can occur."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from ig4.core.errors import Ig4Error
from ig4.core.records import JSON

T = TypeVar("T")

CHARACTERS_A_TOKEN = 4
"""About what English text has in the usual tokenizers; for estimates only."""

_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and halves of surrogate pairs

_MAX_TOKENS = 10**9  # of one reply; more is a server's mistake

_MESSAGE_TOKENS = 12  # about what roles and marks around a message take


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a language model, in a form that belongs to no vendor.

    `images` are JPEG bytes shown before the prompt. `history` are further (role, text) turns
    after it. `schema` is the JSON schema of the wanted reply, for services that can follow one.
    `repeat` tells apart requests that are otherwise equal. `extra` are further fields of the body,
    as the service names them.
    """

    model: str
    prompt: str
    system: str = ""
    images: tuple[bytes, ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    max_tokens: int = 512
    temperature: float | None = None
    schema: Mapping[str, JSON] | None = None
    repeat: int = 0
    extra: Mapping[str, JSON] = field(default_factory=dict)

    def hash(self, provider: str) -> str:
        """Return the sha256 under which the ledger has this request; equal requests, equal hash."""
        content = {
            "provider": provider,
            "model": self.model,
            "prompt": self.prompt,
            "system": self.system,
            "images": [hashlib.sha256(image).hexdigest() for image in self.images],
            "history": self.history,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "schema": self.schema,
            "repeat": self.repeat,
            "extra": self.extra,
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def text_tokens(self) -> int:
        """About how many tokens the texts have."""
        texts = [self.system, self.prompt, *(text for _, text in self.history)]
        schema = len(json.dumps(self.schema)) if self.schema else 0
        return (
            sum(map(tokens_of, texts)) + schema // CHARACTERS_A_TOKEN + _MESSAGE_TOKENS * len(texts)
        )


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text; every character that is not ASCII counts as one."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return -(-ascii_count // CHARACTERS_A_TOKEN) + len(text) - ascii_count


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of a language model, and the tokens that the service counted.

    `finish` is the service's own word for why the model stopped. `cached_tokens` are those of
    `input_tokens` that cost less because the service had them.
    """

    text: str
    finish: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    refused: bool = False

    def __post_init__(self) -> None:
        """Replace characters that no database takes: a reply was paid for, and must be kept."""
        for name in ("text", "finish"):
            object.__setattr__(self, name, _NOT_STORABLE.sub("\ufffd", getattr(self, name)))
        for name in ("input_tokens", "cached_tokens", "output_tokens"):
            object.__setattr__(self, name, max(0, min(getattr(self, name), _MAX_TOKENS)))


class CallError(Ig4Error):
    """A request got no usable reply."""


class RejectedError(CallError):
    """The service will not take this request, however often it is sent."""


class UnreadableError(CallError):
    """There is a reply, but it does not answer the question."""


class TransientError(CallError):
    """Another try may succeed; `retry_after` is how many seconds the service wants until then."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, limited: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.limited = limited
        """Whether this was a rate limit, which concerns all requests and not only this one."""


class ServiceError(CallError):
    """No request can succeed: a wrong key, no permission, no credit, no such model."""


class NotFoundError(ServiceError):
    """The service has nothing of this name: a model, an address, a batch."""


class BudgetError(CallError):
    """The run may not send any more requests."""


class PendingError(CallError):
    """There is no reply yet: the request is in a batch, or waits to be put into one."""


class Ask(Protocol):
    """Asks a language model; replies are kept, so that none is paid for twice."""

    def __call__(self, request: Request, read: Callable[[Reply], T], /) -> Awaitable[T]:
        """Return what `read` makes of the reply; it raises UnreadableError where it cannot.

        Raises:
            UnreadableError: `read` raised it.
            CallError: there is no reply; leave these errors to the engine.
        """
