"""How much a run may spend: money and calls, never exceeded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ig4.core.calls.request import BudgetError
from ig4.core.counts import counted, verb


class Budget:
    """Counts what was spent, and the most that requests on their way may still cost.

    A request starts only if the most it can cost fits beside the most that those on their way can
    cost; near the end they therefore go one after another. One budget serves all components of a
    run.
    """

    def __init__(self, max_cost: float | None = None, max_calls: int | None = None) -> None:
        self.max_cost = max_cost
        self.max_calls = max_calls
        self.cost = 0.0
        self.calls = 0
        self.reached: str | None = None
        """Which limit was reached, in words; None while there is room."""
        self._reserved = 0.0
        self._in_flight = 0
        self._settled = asyncio.Condition()

    @asynccontextmanager
    async def spending(self, worst: float) -> AsyncIterator[None]:
        """Hold `worst` US dollars back while a request is on its way.

        Raises:
            BudgetError: there is no room for it, and no request on its way can make room.
        """
        async with self._settled:
            while not self._has_room(worst):
                if not self._in_flight:
                    self.reached = self.reached or self._limit_message()
                    raise BudgetError(self.reached)
                await self._settled.wait()
            self.calls += 1
            self._in_flight += 1
            self._reserved += worst
        try:
            yield
        finally:
            async with self._settled:
                self._in_flight -= 1
                self._reserved -= worst
                self._settled.notify_all()

    def paid(self, cost: float) -> None:
        """Count what a reply cost; call it before its `spending` block ends."""
        self.cost += cost

    def room(self, calls: int, worst: float) -> bool:
        """Tell whether there is room for `calls` more calls that cost at most `worst` together.

        Used for batches, whose requests are sent all at once.
        """
        over_calls = self.max_calls is not None and self.calls + calls > self.max_calls
        return not over_calls and self._can_pay(worst)

    def reserve(self, calls: int, worst: float) -> None:
        """Count calls of a batch, and hold back the most they can cost until it is settled."""
        self.calls += calls
        self._reserved += worst

    def settle(self, worst: float, *, calls: int = 0) -> None:
        """Give back what `reserve` held back, and calls that were not made after all.

        What was really paid is counted by `paid`.
        """
        self._reserved -= worst
        self.calls -= calls

    @property
    def outstanding(self) -> bool:
        """Whether anything is on its way that may cost less than was held back for it."""
        return self._reserved > 1e-9

    def stop(self) -> None:
        """Let nothing more start: a limit was reached."""
        self.reached = self.reached or self._limit_message()

    def _has_room(self, worst: float) -> bool:
        return self.reached is None and self.room(1, worst)

    def _can_pay(self, worst: float) -> bool:
        # A ten-thousandth of a cent: sums of floats must not decide.
        return self.max_cost is None or self.cost + self._reserved + worst <= self.max_cost + 1e-6

    def _limit_message(self) -> str:
        if self.max_calls is not None and self.calls >= self.max_calls:
            return (
                f"the {counted(self.max_calls, 'call')} that --max-calls allows "
                f"{verb(self.max_calls, 'was', 'were')} made"
            )
        return (
            f"${self.cost:.4f} of the ${self.max_cost or 0:.2f} that --max-cost allows were spent, "
            "and the next request might exceed it"
        )
