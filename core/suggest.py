"""Suggests the known name that a misspelled one was meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name most like `word`, or None if nothing is like it."""
    import difflib

    names = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return names[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return '; did you mean X?' to end a message with, or an empty string."""
    name = closest(word, known)
    return f"; did you mean {name}?" if name else ""
