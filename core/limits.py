"""Between which numbers an option may be: the same for commands and for the library."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from ig4.core.errors import UsageError

N = TypeVar("N", bound=float)


class Limits(NamedTuple, Generic[N]):
    """The `least` and the `most` that a number may be; None where there is no end."""

    least: N | None = None
    most: N | None = None

    def check(self, name: str, value: float | None) -> None:
        """Refuse a number that lies outside; None is what is not asked for.

        Raises:
            UsageError: names the option, the number and the limits.
        """
        if value is None:
            return
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
            raise UsageError(f"{name} is {value!r}: give a number{self._told()}")
        below = self.least is not None and value < self.least
        if below or (self.most is not None and value > self.most):
            raise UsageError(f"{name} is {value:,}: give a number{self._told()}")

    def _told(self) -> str:
        if self.least is None:
            return "" if self.most is None else f" of at most {self.most:,}"
        if self.most is None:
            return f" of at least {self.least:,}"
        return f" from {self.least:,} to {self.most:,}"


CHART_WIDTH = Limits(200, 4000)
CHART_HEIGHT = Limits(120, 8000)
CHART_SCALE = Limits(0.1, 10)
SHOWN_SAMPLES = Limits(0)
"""How many samples a data set may have to be in a page whole."""

SEED = Limits(0, (1 << 32) - 1)
"""What NumPy takes as a seed everywhere, and every database holds."""

PAIRS = Limits(1)
QUESTIONS = Limits(1)
QUERY_SECONDS = Limits(0, 1e6)

NEW_TOKENS = Limits(1)
BATCH = Limits(1)
TEMPERATURE = Limits(0)
TOP_P = Limits(0, 1)
BEAMS = Limits(1)
REPETITION = Limits(0)
