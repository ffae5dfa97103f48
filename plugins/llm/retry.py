"""Asks once more where the first reply could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.request import Reply, Request, UnreadableError

if TYPE_CHECKING:
    from ig4.core.contracts import Ask

T = TypeVar("T")

_SHOWN = 200
"""How many characters of an unreadable reply are shown in the error."""


async def ask_twice(request: Request, ask: Ask, read: Callable[[Reply], T], reminder: str) -> T:
    """Return what `read` makes of the reply, or of the one to a reminder.

    Raises:
        UnreadableError: neither can be read.
    """
    said: list[str] = []

    def keeping(reply: Reply) -> T:
        said.append(reply.text)
        return read(reply)

    try:
        return await ask(request, keeping)
    except UnreadableError:
        turns = (("assistant", said[-1] or "(no reply)"), ("user", reminder))
    return await ask(replace(request, history=turns), keeping)


def raise_unreadable(reply: Reply, reason: object, task: str) -> UnreadableError:
    """Return the error to raise for a reply; `task` is what a model refuses that refuses."""
    shown = " ".join(reply.text.split())[:_SHOWN]
    if reply.refused:
        return UnreadableError(f"the model refused to {task} this: {shown!r}")
    cut = " (cut at max_tokens)" if reply.finish in ("length", "max_tokens") else ""
    return UnreadableError(f"{reason}{cut}; the reply was: {shown!r}")
