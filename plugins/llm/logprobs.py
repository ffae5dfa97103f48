"""Reads the log-probabilities of a chat completion."""

from __future__ import annotations

import math
import re
from typing import Any

ABOUT_LOGPROBS = re.compile(r"log_?prob|log-prob", re.IGNORECASE)
"""What a service names that does not take, or give, log-probabilities."""

MISSING = "no log-probabilities"
"""What `finish` says of a reply that lacks the log-probabilities that it was asked for.

It is not cut, so `--retry-failed` asks for it again, from a server that has learnt them.
"""


def read_logprobs(choice: Any) -> tuple[tuple[tuple[str, float], ...], ...] | None:
    """Return the likeliest tokens at each place of a choice, None if it tells none.

    Entries that are no numbers, and chances of more than one, are left out.
    """
    told = choice.get("logprobs")
    content = told.get("content") if isinstance(told, dict) else None
    if not isinstance(content, list) or not content:
        return None
    places = [_place(one) for one in content if isinstance(one, dict)]
    return tuple(places) if any(places) else None


def _place(token: dict[str, Any]) -> tuple[tuple[str, float], ...]:
    """Return the likeliest tokens at one place.

    The one that was drawn counts only if it is among them: else others that are not listed may be
    likelier than it, and how much is hidden behind a list could not be told.
    """
    alternatives = token.get("top_logprobs")
    found: dict[str, float] = {}
    for one in alternatives if isinstance(alternatives, list) else []:
        value = one.get("logprob") if isinstance(one, dict) else None
        if isinstance(value, (int, float)) and not math.isnan(value) and value <= _ROUNDING:
            found.setdefault(str(one.get("token", "")), min(float(value), 0.0))
    return tuple(found.items())


_ROUNDING = 1e-3
"""How far above zero a log-probability of one may be told."""
