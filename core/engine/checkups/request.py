"""What is to be checked, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ig4.core.calls.settings import CallSettings
from ig4.core.records import Choice

PAIRS = 500
"""So many samples at most are rated again with the answer of another one."""

SEED = 42


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """Which columns of scores to check, by default all.

    At most `pairs` samples are rated again, drawn by `seed`; scorers that ask services only if they
    may be `paid`, within `call_settings`. With `reuse`, a column whose values are what they were is
    not checked again.
    """

    scorers: Sequence[str] | None = None
    pairs: int = PAIRS
    seed: int = SEED
    paid: bool = False
    reuse: bool = True
    executor: Choice = field(default_factory=lambda: Choice("executor", "local"))
    call_settings: CallSettings = field(default_factory=CallSettings)
