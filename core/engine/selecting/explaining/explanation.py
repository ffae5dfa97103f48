"""The explanation of one sample in a selection, as a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image of a sample: its name in the data set, its file, and why it cannot be read."""

    name: str
    path: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class ShownSample:
    """What a sample says and shows, whole; `turns` of (role, text) where it is a conversation."""

    question: str
    answer: str
    turns: tuple[tuple[str, str], ...] = ()
    images: tuple[ShownImage, ...] = ()


@dataclass(frozen=True, slots=True)
class NeighbourSample:
    """Another sample of the group, its texts shortened to a line.

    `place` counts from 1 by F(x) among those that it competes with; None where that decides
    nothing. `rank` is its rank in the whole selection, None if it is not selected.
    """

    id: str
    selected: bool
    rank: int | None
    place: int | None
    final_score: float | None
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The samples around the line of a group, and around one sample of it, best first.

    `by` says what they are ordered by: "final score" where the group's best are taken by F(x), so
    that there is a line; else "rank", and `first_not_taken` is empty, as nobody knows who would be
    next.
    """

    by: str
    last_taken: tuple[NeighbourSample, ...] = ()
    first_not_taken: tuple[NeighbourSample, ...] = ()
    above: tuple[NeighbourSample, ...] = ()
    below: tuple[NeighbourSample, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """What one counting score alone would have to be for the sample to get in.

    `percent` is what it is on the scale of the selection, `needed` what it would have to be, and
    `points` is the difference, negative where less is better; None where not even `limit` would
    do.
    """

    scorer: str
    percent: float | None
    needed: float | None
    points: float | None
    limit: float
    told: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What would have to change for a sample to get in.

    `scores` says it for each score by itself, the others being as they are; `quota` is what its
    group would have to give, `size` a size of the whole selection that takes it. All of these were
    tried with the selector itself. `told` says all in sentences.
    """

    told: tuple[str, ...]
    scores: tuple[ScoreChange, ...] = ()
    quota: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sample before the selector.

    `scores` gives by scorer the raw value, the percent, the weight and their product. `cluster`
    is the one that it has, whether it counts or not. `counted_in` says among what the selector
    deals: "cluster", "group" (by the name `group`), or "data set" for one that reads none of
    these. `place` counts from 1 by F(x) among the `members` of that, `quota` of which are taken;
    `distance` is F(x) minus the F of the last taken, negative for one that missed the line by that
    much; None where the selector does not take the best by F(x), as `place` where it does not read
    it. `details` is what the selector itself says of it. `selection` is the stored selection that
    is explained, and `settings` is what it was made by; None for one that was not stored.
    `changes` says what would let it in; None for one that is in.
    """

    id: str
    selected: bool
    rank: int | None
    final_score: float | None
    scores: dict[str, dict[str, float | str | None]]
    cluster: int | None
    members: int | None
    quota: int | None
    place: int | None
    distance: float | None
    reason: str | None = None
    selection: int | None = None
    settings: Mapping[str, Any] | None = None
    details: Mapping[str, Any] | None = None
    counted_in: str = "data set"
    group: str | None = None
    sample: ShownSample | None = None
    neighbours: Neighbourhood | None = None
    changes: Changes | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)
