"""Requests to a language model, its replies, and the errors that can occur."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from ig4.core.errors import Ig4Error
from ig4.core.records import JSON
from ig4.storage.finishes import AT_LIMIT

T = TypeVar("T")

CHARACTERS_A_TOKEN = 4
"""About what English text has in the usual tokenizers; for estimates only."""

RAISED = 8
"""By how much the limit of tokens is raised, once, after a reply that was cut."""

MOST_RAISED = 16_384
"""The limit of tokens beyond which none is raised; today's models can write so much."""

_LIMIT_FIELDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")

_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and halves of surrogate pairs

_MAX_TOKENS = 10**9  # of one reply; more is a server's mistake

_MESSAGE_TOKENS = 12  # about what roles and marks around a message take


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a language model, in a form that belongs to no vendor.

    `images` are JPEG bytes shown before the prompt. `history` are further (role, text) turns
    after it. `schema` is the JSON schema of the wanted reply, for services that can follow one.
    `logprobs` is for how many tokens the reply is to tell log-probabilities at each place, 0 for
    none. `repeat` tells apart requests that are otherwise equal. `extra` are further fields of the
    body, as the service names them. `raised_from` is the limit at which a reply to the same was
    cut.
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
    raised_from: int = 0
    logprobs: int = 0

    def hash(self, provider: str) -> str:
        """Return the sha256 under which the ledger has this request; equal requests, equal hash."""
        return _hash(self._content(provider), self.max_tokens)

    def hashes_at(self, provider: str, limits: Iterable[int]) -> dict[str, int]:
        """Return the hashes that this request has at other limits, raised ones too, and the limits.

        A reply that ended by itself is also the reply at any other limit.
        """
        content = self._content(provider)
        known = {limit for one in (self.max_tokens, *limits) for limit in (one, raised_limit(one))}
        known.discard(self.max_tokens)
        return {_hash(content, limit): limit for limit in sorted(known)}

    def raised(self) -> Request:
        """Return the request with a larger limit, once; itself where there is no larger one."""
        limit = raised_limit(self.max_tokens)
        fixed = any(name in self.extra for name in _LIMIT_FIELDS)  # these are what is sent
        if fixed or self.raised_from or limit == self.max_tokens:
            return self
        return replace(self, max_tokens=limit, raised_from=self.max_tokens)

    def _content(self, provider: str) -> tuple[str, str]:
        """Return the JSON text of all that shapes the reply, before and after `max_tokens`."""
        before: dict[str, JSON] = {
            "extra": self.extra,
            "history": self.history,
            "images": [hashlib.sha256(image).hexdigest() for image in self.images],
        }
        if self.logprobs:  # a request without has the hash that it always had
            before["logprobs"] = self.logprobs
        after = {
            "model": self.model,
            "prompt": self.prompt,
            "provider": provider,
            "repeat": self.repeat,
            "schema": self.schema,
            "system": self.system,
            "temperature": self.temperature,
        }
        return _canonical(before), _canonical(after)

    @property
    def text_tokens(self) -> int:
        """About how many tokens the texts have."""
        texts = [self.system, self.prompt, *(text for _, text in self.history)]
        schema = len(json.dumps(self.schema)) if self.schema else 0
        return (
            sum(map(tokens_of, texts)) + schema // CHARACTERS_A_TOKEN + _MESSAGE_TOKENS * len(texts)
        )


def raised_limit(limit: int) -> int:
    """Return the limit of tokens to try once after a reply was cut at `limit`."""
    return max(limit, min(RAISED * limit, MOST_RAISED))


def _hash(content: tuple[str, str], limit: int) -> str:
    before, after = content
    text = f'{before[:-1]},"max_tokens":{limit},{after[1:]}'
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Mapping[str, JSON]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text; every character that is not ASCII counts as one."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return -(-ascii_count // CHARACTERS_A_TOKEN) + len(text) - ascii_count


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of a language model, and the tokens that the service counted.

    `finish` is the service's own word for why the model stopped, "" if it says none.
    `cached_tokens` are those of `input_tokens` that cost less because the service had them.
    `logprobs` has for each token of the text the likeliest (token, natural log-probability) there,
    None where the service told none.
    """

    text: str
    finish: str = ""
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    refused: bool = False
    logprobs: tuple[tuple[tuple[str, float], ...], ...] | None = None

    def __post_init__(self) -> None:
        """Replace characters that no database takes: a reply was paid for, and must be kept."""
        for name in ("text", "finish"):
            object.__setattr__(self, name, _NOT_STORABLE.sub("\ufffd", getattr(self, name)))
        for name in ("input_tokens", "cached_tokens", "output_tokens"):
            object.__setattr__(self, name, max(0, min(getattr(self, name), _MAX_TOKENS)))

    @property
    def at_limit(self) -> bool:
        """Whether the reply was cut at its limit of tokens: with a larger one it may go on."""
        return not self.refused and self.finish.lower() in AT_LIMIT

    @property
    def cut(self) -> bool:
        """Whether the reply may not be whole: the service does not say that it ended by itself."""
        return self.finish.lower() not in _ENDS

    def within(self, limit: int) -> Reply:
        """Return the reply, marked as cut if it has as many tokens as it may, and says nothing."""
        if self.finish or self.output_tokens < limit:
            return self
        return replace(self, finish=CUT)


CUT = "length"
"""What `finish` says of a reply that has all the tokens that it may have."""

_ENDS = frozenset((
    "", "stop", "stop_sequence", "end_turn", "end", "eos", "eos_token", "complete", "completed",
    "done", "finished", "tool_use",
))  # fmt: skip
"""What services say of a reply that ended by itself, in lower case. A tool's input is such a reply,
and so is one of which a service says nothing."""


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


class LostError(PendingError):
    """The request lies in a batch that the service does not have; it may have been paid for."""


class Ask(Protocol):
    """Asks a language model; replies are kept, so that none is paid for twice."""

    def __call__(self, request: Request, read: Callable[[Reply], T], /) -> Awaitable[T]:
        """Return what `read` makes of the reply; it raises UnreadableError where it cannot.

        Raises:
            UnreadableError: `read` raised it.
            CallError: there is no reply; leave these errors to the engine.
        """
