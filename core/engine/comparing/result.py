"""What a comparison of two selections finds, as plain values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ig4.core.texts import one_line
from ig4.core.views import html
from ig4.core.views.tabular import ResultTable, TabularResult


@dataclass(frozen=True, slots=True)
class ComparedSelection:
    """One side: a selection with its number, names, data set and size.

    `candidates` is how many samples it was chosen from, None if that is not recorded.
    """

    id: int
    name: str | None
    label: str | None
    dataset: str
    size: int
    candidates: int | None
    selector: str

    @property
    def title(self) -> str:
        """What to call it: its name, else its number."""
        return self.name or str(self.id)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two selections share.

    `common` counts samples in both, `share_a` and `share_b` are its part of each (0 to 1),
    `jaccard` is common / union. Two random draws of these sizes from the candidates would have
    `expected` in common, with a standard deviation of `deviation`; they were drawn from
    `candidates_a` and `candidates_b`, of which `candidates_both` are the same. `spearman` and
    `kendall` (tau) compare the ranks of the common samples, -1 to 1; None for fewer than three.
    """

    common: int
    union: int
    share_a: float
    share_b: float
    jaccard: float
    expected: float
    deviation: float
    candidates_a: int
    candidates_b: int
    candidates_both: int
    spearman: float | None
    kendall: float | None


@dataclass(frozen=True, slots=True)
class GroupCount:
    """How many samples of a group or cluster the pool has, A, B, and both of them."""

    name: str
    pool: int
    a: int
    b: int
    both: int


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """Counts `by` a grouper or a clustering, the largest group first; or `why` there are none."""

    by: str | None
    groups: Sequence[GroupCount] = ()
    why: str | None = None


@dataclass(frozen=True, slots=True)
class SettingDifference:
    """A setting that is not the same: its `key`, as in `weights.clip`, and both values.

    None stands where a side does not have it.
    """

    key: str
    a: Any
    b: Any


FATES = {
    "vetoed": "it is among the samples to drop",
    "no candidate": "it lacks what is needed to be compared",
    "left out by a stage": "a stage before the selector left it out",
    "below the line": "others of its cluster, or of the data set, have a higher final score",
    "not chosen": "the selector took others, and does not go by the final score alone",
    "not in the data set": "the data set does not hold it",
    "chosen today": "by the scores of today it would be chosen",
    "unknown": "the selection cannot be made again, as what it was made by is gone",
}
"""What may have become of a sample in the selection that does not have it."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a sample in the selection that does not have it.

    `fate` is one of `FATES`, `reason` says it in a sentence. Of a sample below the line, `place` is
    its place by final score among the `members` that it competes with, of which `taken` were taken;
    `distance` is its final score (`other_score`) minus that of the last one taken, never positive.
    `details` is what the selector says of it; only of the first few that are "not chosen".
    """

    fate: str
    reason: str
    other_score: float | None = None
    place: int | None = None
    members: int | None = None
    taken: int | None = None
    distance: float | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Fate):
    """A sample that one selection has and the other has not, with its fate in the other.

    `rank`, `final_score` and `cluster` are those in the selection that has it, where it may have
    been `kept` by name.
    """

    id: str
    rank: int
    final_score: float | None
    cluster: int | None
    group: str | None
    kept: bool


@dataclass(frozen=True, slots=True, repr=False)
class ComparisonResult(TabularResult):
    """Two selections, `a` and `b`, compared; `came_in` are in B alone, `went_out` in A alone.

    Both lists are whole, by rank; `to_pandas()` has a row for each sample of both. `by` says what
    is the same: a "sample" of one data set, or the "content" (texts and images) in two of them.
    `settings` are those that differ. `notes` say what limits the comparison.

    `to_dict` has these keys, which pages and charts are made from:

    - `a`, `b`: `id`, `name`, `label` (the recipe's), `dataset`, `size`, `candidates`, `selector`
    - `by`: "sample" or "content"; `notes`: list of sentences
    - `overlap`: the fields of `Overlap`
    - `settings`: list of `{key, a, b}`
    - `groups`, `clusters`: `{by, why, groups: [{name, pool, a, b, both}]}`
    - `came_in`, `went_out`: list of the fields of `Change`
    - `why_came_in`, `why_went_out`: `[{fate, count}]`, the most frequent first
    """

    a: ComparedSelection
    b: ComparedSelection
    by: str
    overlap: Overlap
    settings: Sequence[SettingDifference]
    groups: GroupComparison
    clusters: GroupComparison
    came_in: Sequence[Change] = field(repr=False)
    went_out: Sequence[Change] = field(repr=False)
    notes: Sequence[str] = ()

    def headline(self) -> str:
        """Return both sides and the overlap in a line."""
        return (
            f"{self.a.title} ({self.a.size:,}) and {self.b.title} ({self.b.size:,}), "
            f"{self.overlap.common:,} in both, Jaccard {self.overlap.jaccard:.2f}"
        )

    def _table(self) -> ResultTable:
        sides = (("came in", self.came_in), ("went out", self.went_out))
        rows = [
            (side, *(getattr(one, name) for name in _OF_CHANGE))
            for side, changes in sides
            for one in changes
        ]
        return ResultTable(("change", *_OF_CHANGE), rows)

    def _repr_html_(self) -> str:
        """Return what both share, the settings and groups that differ, and who came and went."""
        shared = self.overlap
        facts = {
            "in both": shared.common,
            "share": f"{shared.share_a:.1%} of A, {shared.share_b:.1%} of B",
            "two random draws": f"{shared.expected:.1f} ± {shared.deviation:.1f}",
            "Spearman": shared.spearman, "Kendall": shared.kendall,
        }  # fmt: skip
        parts = [html.facts({name: one for name, one in facts.items() if one is not None})]
        if self.notes:
            parts.append(html.table(("note",), [(one,) for one in self.notes], limit=None))
        if self.settings:
            rows = [(one.key, *map(_plain, (one.a, one.b))) for one in self.settings]
            parts.append(html.table(("setting", "A", "B"), rows, limit=None))
        for found in (self.groups, self.clusters):
            if len(found.groups) > 1:
                counts = [(one.name, one.pool, one.a, one.b, one.both) for one in found.groups]
                named = found.by or "group"
                parts.append(html.table((named, "data set", "A", "B", "both"), counts))
        for title, other, changes in (
            ("came in", "A", self.came_in), ("went out", "B", self.went_out),
        ):  # fmt: skip
            if changes:
                told = [(one.id, one.rank, one.final_score, one.reason) for one in changes]
                columns = (title, "rank", "final score", f"why not in {other}")
                parts.append(html.table(columns, told))
        return html.view(f"ComparisonResult {one_line(self.headline())}", parts)

    def to_dict(self) -> dict[str, Any]:
        """Return what `ig4 compare --json` prints; the class says which keys there are."""
        return {
            "a": asdict(self.a),
            "b": asdict(self.b),
            "by": self.by,
            "overlap": asdict(self.overlap),
            "settings": [asdict(one) for one in self.settings],
            "groups": _groups(self.groups),
            "clusters": _groups(self.clusters),
            "came_in": [asdict(one) for one in self.came_in],
            "went_out": [asdict(one) for one in self.went_out],
            "why_came_in": fate_counts(self.came_in),
            "why_went_out": fate_counts(self.went_out),
            "notes": list(self.notes),
        }


_OF_CHANGE = (
    "id", "rank", "final_score", "cluster", "group", "kept", "fate", "reason", "other_score",
    "place", "members", "taken", "distance",
)  # fmt: skip
"""The fields of a change that are columns of a DataFrame, beside which list it is in."""


def _plain(value: Any) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def fate_counts(changes: Sequence[Change]) -> list[Mapping[str, Any]]:
    """Return how many samples met each fate in the other selection, the most frequent first."""
    counts = Counter(one.fate for one in changes)
    order = sorted(counts, key=lambda fate: (-counts[fate], list(FATES).index(fate)))
    return [{"fate": fate, "count": counts[fate]} for fate in order]


def _groups(found: GroupComparison) -> dict[str, Any]:
    return {"by": found.by, "why": found.why, "groups": [asdict(one) for one in found.groups]}
