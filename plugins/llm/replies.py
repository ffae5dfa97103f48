"""Parses the bodies of servers' replies, whatever they contain."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from ig4.core.calls.request import Reply, TransientError


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
        TransientError: the body has another structure; the message names what is `missing`.
    """
    try:
        return make(body)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise TransientError(f"the server's reply holds no {missing}") from None


def token_count(usage: Any, *path: str) -> int:
    """Return a number of tokens; 0 if the server sends none, or no number."""
    for name in path:
        usage = usage.get(name) if isinstance(usage, dict) else None
    if isinstance(usage, float) and math.isfinite(usage):
        return int(usage)
    return usage if isinstance(usage, int) else 0


def message_text(content: Any) -> str:
    """Return the text of a message: a string, or parts of which some are text."""
    if not isinstance(content, list):
        return str(content or "")
    return "".join(str(part.get("text") or "") for part in content if part.get("type") == "text")
