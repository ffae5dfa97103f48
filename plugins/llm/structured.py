"""Finds out once whether a server can follow a JSON schema, with a handful of requests."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ig4.core.calls.request import Reply

PROBES = 4
"""How many requests with a schema are on their way at a time until one has had a reply."""

FAILURES = 3
"""How many server errors in a row make a server that never replied with a schema suspicious."""

_ABOUT_SCHEMAS = re.compile(
    r"response_format|json_?schema|structured|guided|grammar|outlines|logits?[ _]processor"
    r"|\btools?\b|tool_choice",
    re.IGNORECASE,
)
_CLIENT_ERRORS = (400, 404, 415, 422)
_LONG_SPACE = 32  # characters of white space that no reply ends with for a reason


class SchemaTrial:
    """Whether one server follows schemas: not known at first, then settled for the whole run.

    `wanted` is what the user said: None leaves it to the trial. `option` is the option as a user
    gives it, and `notice` is told if the server cannot.
    """

    def __init__(self, wanted: bool | None, option: str, notice: Callable[[str], None]) -> None:
        self.wanted = wanted
        self.option = option
        self.refused = wanted is False
        self._notice = notice
        self._works = wanted is not None
        self._plain_works = False
        self._failures = self._running = 0
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a request may be sent with a schema, or plainly."""
        if self.settled:
            yield
            return
        async with self._changed:
            await self._changed.wait_for(lambda: self.settled or self._running < PROBES)
            self._running += 1
        try:
            yield
        finally:
            async with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @property
    def settled(self) -> bool:
        """Whether it is known if the server can."""
        return self.refused or self._works

    @property
    def suspicious(self) -> bool:
        """Whether to send a request plainly, to see if the schema is what the server fails at."""
        return not self.settled and self._failures >= FAILURES

    def hint(self, message: str) -> str:
        """Return what to do about an error of a schema on which the user insists, if it is one."""
        if self.wanted and _ABOUT_SCHEMAS.search(message):
            return f"; without a schema, `-o {self.option}=false`, it may work"
        return ""

    def note_error(self, status: int | None, message: str) -> None:
        """Conclude from an error of a request with a schema."""
        if self.wanted is not None or status is None:
            return
        server = status >= 500
        if (server or status in _CLIENT_ERRORS) and _ABOUT_SCHEMAS.search(message):
            self._refuse(f"it says {status}: {message}")
        elif server and self._plain_works and not self.settled:
            self._refuse(f"it fails with one, and not without: {message}")
        elif server:
            self._failures += 1

    def note_reply(self, reply: Reply, *, plain: bool) -> bool:
        """Conclude from a reply; returns whether to ask again, plainly: it is endless space."""
        if plain:
            if self.suspicious:  # or it has recovered meanwhile: the next with a schema will tell
                self._plain_works, self._failures = True, 0
            return False
        if self.wanted is None and is_endless_space(reply):
            self._refuse("it replies with white space without end")
            return True
        self._works = True
        return False

    def note_plain_failure(self) -> None:
        """Conclude that the server fails without a schema, too: nothing is wrong with that."""
        self._plain_works, self._failures = False, 0

    def _refuse(self, reason: str) -> None:
        if not self.refused:
            self.refused = True
            self._notice(
                f"the server cannot follow a JSON schema ({reason}); it is asked without one from "
                f"now on, as with `-o {self.option}=false`"
            )


def is_endless_space(reply: Reply) -> bool:
    """Tell whether a reply was cut in white space that is longer than its text."""
    text = reply.text.rstrip()
    space = len(reply.text) - len(text)
    return reply.at_limit and space > 0 and (not text or space >= max(_LONG_SPACE, len(text)))
