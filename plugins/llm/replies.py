"""Parses the bodies of servers' replies, whatever they contain."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ig4.core.calls.request import Reply, TransientError
from ig4.plugins.llm.errors import redact

_REFUSALS = frozenset((
    "refusal", "content_filter", "safety", "prohibited_content", "blocklist", "spii", "recitation",
    "sensitive", "guardrail_intervened",
))  # fmt: skip

_BROKEN = frozenset((
    "error", "server_error", "internal_error", "engine_error", "network_error", "upstream_error",
    "insufficient_system_resource", "abort", "aborted", "cancelled", "canceled", "timeout",
    "overloaded",
))  # fmt: skip

_TEXT_PARTS = ("text", "output_text")
_MAX_SHOWN = 120  # characters of a body that holds no reply


def parse_json(content: bytes | str) -> Any:
    """Return the value of a JSON text.

    Raises:
        TransientError: it is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise TransientError("the server's reply is not JSON") from None


def parse_reply(body: Any, make: Callable[[Any], Reply], missing: str) -> Reply:
    """Return the Reply that `make` finds in a decoded body.

    Raises:
        TransientError: the body has another structure, and the message names what is `missing`; or
            the service broke the reply off.
    """
    try:
        reply = make(body)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        shown = redact(_shown(body))[:_MAX_SHOWN]
        raise TransientError(f"the server's reply holds no {missing}: {shown}") from None
    if reply.finish.lower() in _BROKEN:
        raise TransientError(
            f"the server's reply was broken off, it says: {redact(reply.finish)[:_MAX_SHOWN]}"
        )
    return reply


def _shown(body: Any) -> str:
    try:
        return json.dumps(body)
    except (ValueError, RecursionError):
        return type(body).__name__


def finish_of(value: Any) -> str:
    """Return a service's word for why the model stopped; some send an object with a type."""
    if isinstance(value, Mapping):
        value = value.get("type")
    return str(value or "")


def with_spent(reply: Reply, spent: Reply) -> Reply:
    """Return a reply with the tokens, too, of an earlier one that was of no use."""
    return replace(
        reply,
        input_tokens=reply.input_tokens + spent.input_tokens,
        cached_tokens=reply.cached_tokens + spent.cached_tokens,
        output_tokens=reply.output_tokens + spent.output_tokens,
    )


def is_refusal(finish: str) -> bool:
    """Tell whether a service says by `finish` that it or the model withheld the reply."""
    return finish.lower().partition(":")[0] in _REFUSALS  # "content_filter: SAFETY"


def token_count(usage: Any, *path: str) -> int:
    """Return a number of tokens; 0 if the server sends none, or no number."""
    for name in path:
        usage = usage.get(name) if isinstance(usage, dict) else None
    if isinstance(usage, float) and math.isfinite(usage):
        return int(usage)
    return usage if isinstance(usage, int) else 0


def message_text(content: Any) -> str:
    """Return the text of a message: a string, or parts of which some are text.

    What stands before the last part of thoughts is no answer. Thoughts in fields of their own
    (`reasoning_content`, `reasoning`) are never read.
    """
    if not isinstance(content, list):
        return str(content or "")
    texts: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif _is_thought(part):
            texts.clear()
        elif part.get("type") in _TEXT_PARTS:
            texts.append(str(part.get("text") or ""))
    return "".join(texts)


def _is_thought(part: Any) -> bool:
    kind = str(part.get("type") or "").lower()
    return part.get("thought") is True or any(
        word in kind for word in ("think", "reason", "thought")
    )
