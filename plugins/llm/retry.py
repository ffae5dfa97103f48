"""Asks once more where the first reply could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.request import Reply, Request, UnreadableError

if TYPE_CHECKING:
    from ig4.core.contracts import Ask

T = TypeVar("T")

_MAX_SHOWN = 200
"""How many characters of an unreadable reply are shown in the error."""


async def ask_twice(request: Request, ask: Ask, read: Callable[[Reply], T], reminder: str) -> T:
    """Return what `read` makes of the reply, or of the one to a reminder.

    Raises:
        UnreadableError: neither can be read.
    """
    texts: list[str] = []

    def read_and_keep(reply: Reply) -> T:
        texts.append(reply.text)
        return read(reply)

    try:
        return await ask(request, read_and_keep)
    except UnreadableError:
        turns = (("assistant", texts[-1] or "(no reply)"), ("user", reminder))
    return await ask(replace(request, history=turns), read_and_keep)


def unreadable_error(reply: Reply, reason: object, task: str) -> UnreadableError:
    """Return the error to raise for a reply; `task` is what a model refuses that refuses."""
    shown = " ".join(reply.text.split())[:_MAX_SHOWN]
    if reply.refused:
        return UnreadableError(f"the model refused to {task} this: {shown!r}")
    cut = " (cut at max_tokens)" if reply.finish in ("length", "max_tokens") else ""
    return UnreadableError(f"{reason}{cut}; the reply was: {shown!r}")
