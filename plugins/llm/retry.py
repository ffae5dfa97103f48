"""Asks a second time if the first reply cannot be parsed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.request import Reply, Request, UnreadableError

if TYPE_CHECKING:
    from ig4.core.contracts import Ask

T = TypeVar("T")

_MAX_SHOWN = 200
"""Maximum number of characters of an unreadable reply in the error message."""


async def ask_twice(request: Request, ask: Ask, read: Callable[[Reply], T], reminder: str) -> T:
    """Return what `read` finds in the reply, or in the reply to a reminder.

    Raises:
        UnreadableError: neither can be parsed.
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
    """Return the error to raise for a reply; `task` is the verb for what the model refused."""
    shown = " ".join(reply.text.split())[:_MAX_SHOWN]
    if reply.refused:
        return UnreadableError(f"the model refused to {task} this: {shown!r}")
    cut = " (cut at max_tokens)" if reply.finish in ("length", "max_tokens") else ""
    return UnreadableError(f"{reason}{cut}; the reply was: {shown!r}")
