"""What is to be checked, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ig4.core.calls.settings import CallSettings
from ig4.core.records import Choice

PAIRS = 500
"""So many samples at most are rated again with the answer of another one."""

AT_ONCE = 100
"""At the end of scoring it is a tenth of what was computed, but so many at least, `PAIRS` at most:
scoring then takes hardly longer."""

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

    def at_once(self, computed: int) -> CheckRequest:
        """Return the check-up at the end of scoring so many samples."""
        return replace(self, pairs=min(self.pairs, max(AT_ONCE, computed // 10)))
