"""What text from a data set must be like to be stored."""

from __future__ import annotations


def sanitize(text: str) -> str:
    """Return text that every database can hold: NUL and lone surrogates become marks."""
    if "\0" in text:
        text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
