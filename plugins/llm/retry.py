"""Asks again if a reply cannot be parsed: with a larger limit if it was cut, else once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ig4.core.calls.request import RejectedError, Reply, Request, UnreadableError
from ig4.core.files.answers.thoughts import UnreadableThoughtsError, answer_of
from ig4.plugins.llm.structured import is_endless_space

if TYPE_CHECKING:
    from ig4.core.contracts import Ask

T = TypeVar("T")

_HELPED = 3
"""How often a larger limit must have helped before it is the first that is asked with."""

_MAX_SHOWN = 200
"""Maximum number of characters of an unreadable reply in the error message."""


class Question:
    """How one component asks; it learns that the limit it was given is too small for a model.

    `reminder` is what is said after a reply that ended, but cannot be parsed.
    """

    def __init__(self, reminder: str) -> None:
        self.reminder = reminder
        self._helped = self._sufficed = 0
        """How many replies could be parsed with the larger limit, and with the one given."""

    async def ask(self, request: Request, ask: Ask, read: Callable[[Reply], T]) -> T:
        """Return what `read` finds in the reply, or in the reply to a further request.

        A reply that was cut at its limit is asked for once more, with a larger one; a reply that
        ended is answered with the reminder, once. Nothing is asked twice with the same limit.

        Raises:
            UnreadableError: no reply can be parsed.
        """
        replies: list[Reply] = []
        unreadable: UnreadableError | None = None

        def read_and_keep(reply: Reply) -> T:
            replies.append(reply)
            return read(reply)

        if self._helped >= _HELPED and self._helped > self._sufficed:
            request = request.raised()
        while True:
            try:
                result = await ask(request, read_and_keep)
            except UnreadableError as error:
                following = self._following(request, replies[-1] if replies else Reply(""))
                if following is None:
                    raise
                unreadable, request = error, following
            except RejectedError:
                if unreadable is None or not request.raised_from:
                    raise
                raise unreadable from None  # the service allows no such limit
            else:
                self._helped += bool(request.raised_from)
                self._sufficed += not request.raised_from
                return result

    def _following(self, request: Request, reply: Reply) -> Request | None:
        """Return what to ask after an unreadable reply, None if there is nothing more to ask."""
        if reply.at_limit and not _is_blank(reply):
            larger = request.raised()
            return None if larger is request else larger
        if request.history:
            return None
        turns = (("assistant", reply.text or "(no reply)"), ("user", self.reminder))
        return replace(request, history=turns)


def unreadable_error(
    reply: Reply, reason: object, task: str, *, option: str = "max_tokens"
) -> UnreadableError:
    """Return the error to raise for a reply; `task` is the verb for what the model refused.

    `option` is the option that limits the tokens, as a user gives it.
    """
    shown = " ".join(reply.text.split())[:_MAX_SHOWN]
    if reply.refused:
        return UnreadableError(f"the model refused to {task} this: {shown!r}")
    if not reply.at_limit:
        broken = f" (it was broken off: {reply.finish[:40]})" if reply.cut else ""
        return UnreadableError(f"{reason}{broken}; the reply was: {shown!r}")
    if _is_blank(reply):
        return UnreadableError(
            "the reply is nothing but white space up to its limit, as of a server that cannot "
            f"follow a JSON schema: try `-o {option.replace('max_tokens', 'structured')}=false`"
        )
    if _is_all_thoughts(reply):
        count = f"{reply.output_tokens:,} " if reply.output_tokens else ""
        return UnreadableError(f"all {count}tokens went into thoughts: raise `-o {option}`")
    return UnreadableError(
        f"{reason} (cut at max_tokens: raise `-o {option}`); the reply was: {shown!r}"
    )


def _is_blank(reply: Reply) -> bool:
    """Tell whether a reply is white space, which no larger limit ends."""
    return is_endless_space(reply) or (bool(reply.text) and not reply.text.strip())


def _is_all_thoughts(reply: Reply) -> bool:
    """Tell whether a reply that was cut has not come to its answer."""
    try:
        return not answer_of(reply.text).strip()
    except UnreadableThoughtsError as error:
        return "does not end" in str(error)
