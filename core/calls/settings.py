"""How a run asks services: how fast, how often, and for how much money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ig4.core.calls.prices import Price


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What the user allows for calls of language models.

    At most `concurrency` requests are on their way at a time. `attempts` is how often a request is
    sent before it counts as failed. `max_cost` (US dollars) and `max_calls` hold for the whole run.
    With `batch`, requests are sent in batches, at a lower price; without `wait` the run ends once
    they are handed over, and a later run collects the replies. `poll_seconds` is how often the
    service is asked about a batch. `stop_after` failures in a row stop a component, whether it
    asks a service or not; 0 lets it go on.
    """

    concurrency: int = 16
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    attempts: int = 10
    max_cost: float | None = None
    max_calls: int | None = None
    batch: bool = False
    wait: bool = True
    poll_seconds: float = 30.0
    stop_after: int = 50
    prices: Mapping[str, Price] = field(default_factory=dict)
