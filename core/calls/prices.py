"""Prices of tokens, in US dollars a million, and the cost of a call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ig4.core.calls.request import Reply
from ig4.core.errors import UsageError

MILLION = 1e6

_DATED = re.compile(r"[-@](20\d{2}-?\d{2}-?\d{2}|latest)$")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens; `cached` is for input that the service had in its cache.

    `batch` is the price of a request in a batch, as a share of the usual one.
    """

    input: float
    output: float
    cached: float | None = None
    batch: float = 0.5

    def of(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
        """Return what a call costs in US dollars."""
        cached = self.input if self.cached is None else self.cached
        fresh = input_tokens - cached_tokens
        total = fresh * self.input + cached_tokens * cached + output_tokens * self.output
        return total / MILLION

    def of_reply(self, reply: Reply, *, batch: bool = False) -> float:
        """Return what a reply cost in US dollars."""
        share = self.batch if batch else 1.0
        return share * self.of(reply.input_tokens, reply.cached_tokens, reply.output_tokens)


def find_price(model: str, *tables: Mapping[str, Price]) -> Price | None:
    """Return a model's price from the first table that has it, else None.

    A name with a date (gpt-4o-2024-08-06, claude-3-haiku-20240307) has the price of the name
    without, unless a table says otherwise; nothing else is guessed.
    """
    for name in dict.fromkeys((model, _DATED.sub("", model))):
        for table in tables:
            if name in table:
                return table[name]
    return None


class Pricing:
    """The prices of a run: the user's own, else those that the service is known for."""

    def __init__(
        self,
        *tables: Mapping[str, Price],
        limited: bool = False,
        notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.tables = tables
        self.limited = limited
        self._notice = notice
        self._unknown: set[str] = set()

    def of(self, model: str) -> Price | None:
        """Return a model's price, or None if it is not known, of which the user is told once.

        Raises:
            UsageError: it is not known, and the run may cost only so much.
        """
        price = find_price(model, *self.tables)
        if price is None and self.limited:
            raise UsageError(
                f"the price of {model} is not known, so --max-cost cannot be kept: add "
                f'[prices."{model}"] with input and output (US dollars for a million tokens) to '
                "ig4.toml, or limit --max-calls"
            )
        if price is None and model not in self._unknown:
            self._unknown.add(model)
            self._notice(
                f"the price of {model} is not known: its tokens are counted, its cost is not "
                f'(set it under [prices."{model}"] in ig4.toml)'
            )
        return price
