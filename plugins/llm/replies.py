"""Reads bodies that servers send, whatever they hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from ig4.core.calls.request import Reply, TransientError


def parse_json(content: bytes | str) -> Any:
    """Return what JSON holds.

    Raises:
        TransientError: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise TransientError("the server's reply is not JSON") from None


def parse_reply(body: Any, make: Callable[[Any], Reply], missing: str) -> Reply:
    """Return the Reply that `make` finds in a decoded body.

    Raises:
        TransientError: the body is not built as it must be; it says that it holds no `missing`.
    """
    try:
        return make(body)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise TransientError(f"the server's reply holds no {missing}") from None


def token_count(usage: Any, *path: str) -> int:
    """Return a number of tokens; 0 where a server tells none, or something that is none."""
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
