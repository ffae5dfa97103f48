"""The explanation of one sample in a selection, as a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ig4.core.views import html
from ig4.core.views.tabular import ResultTable, TabularResult


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


@dataclass(frozen=True, slots=True, repr=False)
class Changes(TabularResult):
    """What would have to change for a sample to get in.

    `scores` says it for each score by itself, the others being as they are; `quota` is what its
    group would have to give, `size` a size of the whole selection that takes it, where one less
    does not. All of these were tried with the selector itself. `repeats` are the ids of all that it
    repeats, where a stage left it out for that. `told` says all in sentences.
    """

    told: tuple[str, ...]
    scores: tuple[ScoreChange, ...] = ()
    quota: int | None = None
    size: int | None = None
    repeats: tuple[str, ...] = ()

    def headline(self) -> str:
        """Return what would let the sample in, the first of it."""
        more = f" (and {len(self.told) - 1} more)" if len(self.told) > 1 else ""
        return f"{self.told[0]}{more}" if self.told else "nothing is known that would let it in"

    def _table(self) -> ResultTable:
        return ResultTable(("to get in",), [(one,) for one in self.told])

    def _repr_html_(self) -> str:
        """Return all in sentences, each whole."""
        made = self._table()
        return html.view("To get in", [html.table(made.columns, made.rows, limit=None)])


@dataclass(frozen=True, slots=True, repr=False)
class Explanation(TabularResult):
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

    def headline(self) -> str:
        """Return whether it is in, and where it stands."""
        if self.reason is not None:
            return f"{self.id}: {self.reason}"
        verdict = f"selected, rank {self.rank}" if self.selected else "not selected"
        place = "" if self.place is None else f", place {self.place:,} of {self.members:,}"
        return f"{self.id}: {verdict}{place}"

    def _table(self) -> ResultTable:
        names = ("value", "percent", "weight", "points", "error")
        known = [name for name in names if any(name in row for row in self.scores.values())]
        rows = [(name, *(row.get(one) for one in known)) for name, row in self.scores.items()]
        return ResultTable(("scorer", *known), rows)

    def _repr_html_(self) -> str:
        """Return the sample, its scores, its neighbours, and what would let it in."""
        parts = []
        if self.sample is not None:
            images = ", ".join(one.path or one.name for one in self.sample.images)
            said = {"question": self.sample.question, "answer": self.sample.answer}
            parts.append(html.facts(said | ({"images": images} if images else {})))
        made = self._table()
        parts += [html.table(made.columns, made.rows)] if made.rows else []
        if self.neighbours is not None:
            parts.append(html.table(*_beside(self.neighbours), limit=None))
        if self.changes is not None:
            made = self.changes._table()
            parts.append(html.table(made.columns, made.rows, limit=None))
        return html.view(f"Explanation {self.headline()}", parts)


def _beside(around: Neighbourhood) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    """Return the columns and rows of all neighbours, those around the line first."""
    parts = (around.last_taken, around.first_not_taken, around.above, around.below)
    listed = {one.id: one for part in parts for one in part}
    rows: list[tuple[object, ...]] = [
        (one.place if around.by == "final score" else one.rank, one.id, one.selected,
         one.final_score, one.question, one.answer)
        for one in sorted(listed.values(), key=lambda one: one.place or one.rank or 0)
    ]  # fmt: skip
    first = "place" if around.by == "final score" else "rank"
    return (first, "id", "taken", "final score", "question", "answer"), rows
