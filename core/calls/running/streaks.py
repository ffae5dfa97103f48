"""Stops a component that fails on everything, before it has done so to the end."""

from __future__ import annotations

from collections.abc import Iterable

from ig4.core.counts import counted
from ig4.core.errors import Ig4Error
from ig4.core.records import NO_IMAGE
from ig4.core.secrets import redact


class FailingError(Ig4Error):
    """A component failed on too many units in a row."""


class FailureStreak:
    """Counts the failures of one component since it last did well.

    `limit` is how many stop it; 0 lets it go on. What the component has not seen (an image that
    cannot be read; the image that a text-only sample does not have) is not counted: it says nothing
    about the component.
    """

    def __init__(self, label: str, limit: int) -> None:
        self.label = label
        self.limit = limit
        self.length = 0
        self._reason = ""

    def add(self, outcomes: Iterable[str | None]) -> None:
        """Count what became of units: None, or why one failed."""
        for reason in outcomes:
            if reason == NO_IMAGE:
                continue
            self.length = 0 if reason is None else self.length + 1
            self._reason = reason or ""

    @property
    def is_over(self) -> bool:
        """Whether the component has failed too often to go on."""
        return bool(self.limit) and self.length >= self.limit

    def error(self) -> FailingError:
        """Return the error that tells why the component was stopped."""
        return FailingError(
            f"{self.label} was stopped: it failed {counted(self.length, 'time')} in a row (last: "
            f"{redact(self._reason)}). What it has done is kept; mend the cause and give "
            "--retry-failed, or let it go on with --stop-after 0"
        )
