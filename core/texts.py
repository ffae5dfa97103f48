"""What text from a data set must be like to be stored."""

from __future__ import annotations

import math

from ig4.core.records import JSON

_LONGEST = 200  # characters of a problem


def sanitize(text: str) -> str:
    """Return text that every database can hold: NUL and lone surrogates become marks."""
    if "\0" in text:
        text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def one_line(text: str) -> str:
    """Return a text that may quote a data set as a message can say it: short, on one line."""
    text = " ".join(sanitize(text).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def finite(value: JSON) -> JSON:
    """Return a value with null for NaN and infinity, for databases whose JSON has none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value
