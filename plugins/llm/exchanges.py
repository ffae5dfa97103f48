"""A conversation as pairs of what was asked and what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ig4.core.records import Sample


class Exchange(NamedTuple):
    """What the user said since the last answer, and the answer."""

    instruction: str
    answer: str


def exchanges(sample: Sample) -> list[Exchange]:
    """Return a sample's exchanges, in order; system and tool turns are none of either."""
    found: list[Exchange] = []
    asked: list[str] = []
    for turn in sample.turns:
        if turn.role == "user":
            asked.append(turn.text)
        elif turn.role == "assistant":
            found.append(Exchange("\n".join(asked), turn.text))
            asked = []
    return found or [Exchange(sample.instruction, sample.answer)]
