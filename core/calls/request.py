"""What is asked of a language model, what comes back, and the ways in which that goes wrong."""

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
"""English text in any of the usual tokenizers, about; estimates only."""

_UNFIT = re.compile("[\x00\ud800-\udfff]")  # NUL, and halves of surrogate pairs

_MOST_TOKENS = 10**9  # of one reply; more is a server's mistake

_FRAME = 12  # tokens of roles and marks around a message, about


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a language model, in no vendor's words.

    `images` are JPEG bytes shown before the prompt. `history` are further (role, text) turns
    after it. `schema` is the JSON schema of the wanted reply, where the service can hold itself
    to one. `repeat` tells apart requests that are otherwise equal. `extra` are further fields
    for the body, as the service names them.
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
        """Return the sha256 that knows this request in the ledger; equal requests, equal hash."""
        told = {
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
        text = json.dumps(told, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def text_tokens(self) -> int:
        """About how many tokens the texts are."""
        texts = [self.system, self.prompt, *(text for _, text in self.history)]
        schema = len(json.dumps(self.schema)) if self.schema else 0
        return sum(map(tokens_of, texts)) + schema // CHARACTERS_A_TOKEN + _FRAME * len(texts)


def tokens_of(text: str) -> int:
    """Return about how many tokens a text is; one for each character that is not ASCII."""
    plain = len(text.encode("ascii", "ignore"))
    return -(-plain // CHARACTERS_A_TOKEN) + len(text) - plain


@dataclass(frozen=True, slots=True)
class Reply:
    """What a language model said, and the tokens that were counted for it.

    `finish` is the service's own word for why it stopped. `cached_tokens` are those of
    `input_tokens` that cost less because the service had them.
    """

    text: str
    finish: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    refused: bool = False

    def __post_init__(self) -> None:
        """Replace what no database takes: a reply is paid for, and must be kept."""
        for name in ("text", "finish"):
            object.__setattr__(self, name, _UNFIT.sub("\ufffd", getattr(self, name)))
        for name in ("input_tokens", "cached_tokens", "output_tokens"):
            object.__setattr__(self, name, max(0, min(getattr(self, name), _MOST_TOKENS)))


class CallError(Ig4Error):
    """A request that brought no usable reply."""


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
    """The service knows nothing by this name: a model, an address, a batch."""


class BudgetError(CallError):
    """The run may not send any more."""


class PendingError(CallError):
    """The reply is not there yet: the request waits in a batch, or to be put into one."""


class Ask(Protocol):
    """Asks a language model, once and for all: a reply is kept, and never paid for again."""

    def __call__(self, request: Request, read: Callable[[Reply], T], /) -> Awaitable[T]:
        """Return what `read` makes of the reply; it raises UnreadableError where it cannot.

        Raises:
            UnreadableError: `read` raised it.
            CallError: there is no reply; leave all other kinds of it to the engine.
        """
