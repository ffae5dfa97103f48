"""How much goes into one batch: what the user and the service allow, less once it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ig4.core.calls.provider import BatchLimitError, Provider

_USED = 0.75
"""The share of a limit that a batch uses: its tokens are estimated before they are counted."""

_GOOD_ENDS = 4
"""How many batches must end well in a row before larger ones are tried again."""

_LONGEST = 20
"""How many times longer than usual the longest pause is."""

PATIENCE = 300
"""How often one request alone may be refused before the run ends; with the usual pauses this is
two days, and a batch ends within one."""


class BatchSize:
    """The most that the next batch of one component may hold."""

    def __init__(self, provider: Provider) -> None:
        self.requests = provider.batch_requests
        self.bytes = provider.batch_bytes
        self.tokens = provider.batch_tokens
        self._most = (self.requests, self.tokens)
        self._good_ends = 0
        self.waiting = False
        """Whether no batch is to be handed over before another one has ended."""
        self.refused_alone = 0
        """How often in a row one request was refused although nothing else of ours was in line."""

    def holds(self, requests: int, size: int, tokens: int) -> bool:
        """Tell whether so many requests, of so many bytes and tokens, may be one batch."""
        return (
            requests <= self.requests
            and size <= self.bytes
            and (not self.tokens or tokens <= self.tokens)
        )

    @property
    def pause(self) -> float:
        """How many times longer than usual to wait for room."""
        return min(2.0**self.refused_alone, _LONGEST)

    def refuse(self, requests: int, tokens: int, error: BatchLimitError, *, others: bool) -> None:
        """Make the next batch smaller than one that was refused, or let it wait for `others`.

        `others` tells whether other batches of ours are in line, which may have used up the limit.
        """
        self._good_ends = 0
        if others and not error.alone:
            self.waiting = True
        elif requests > 1:
            self.requests = min(self.requests, requests // 2)
            self.tokens = max(1, tokens // 2)
        else:
            self.waiting = True
            self.refused_alone += 1
        if error.tokens:
            self.tokens = min(self.tokens or error.tokens, max(1, int(_USED * error.tokens)))
            if others or requests > 1:  # what is known need not be guessed
                self._most = (self._most[0], self.tokens)

    def end(self) -> None:
        """Note that a batch ended: there is room again."""
        self.waiting = False
        self.refused_alone = 0
        self._good_ends += 1
        if self._good_ends >= _GOOD_ENDS:
            self._good_ends = 0
            requests, tokens = self._most
            self.requests = min(2 * self.requests, requests)
            self.tokens = min(2 * self.tokens, tokens) if tokens else 2 * self.tokens
