"""What a comparison of two selections finds, as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


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


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """Two selections, `a` and `b`, compared; `came_in` are in B alone, `went_out` in A alone.

    Both lists are whole, by rank. `by` says what is the same: a "sample" of one data set, or the
    "content" (texts and images) in two of them. `settings` are those that differ. `notes` say what
    limits the comparison.

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

    def __repr__(self) -> str:
        """Return both sides and the overlap in a line."""
        return (
            f"<ComparisonResult: {self.a.title} ({self.a.size:,}) and {self.b.title} "
            f"({self.b.size:,}), {self.overlap.common:,} in both, "
            f"Jaccard {self.overlap.jaccard:.2f}>"
        )

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


def fate_counts(changes: Sequence[Change]) -> list[Mapping[str, Any]]:
    """Return how many samples met each fate in the other selection, the most frequent first."""
    counts = Counter(one.fate for one in changes)
    order = sorted(counts, key=lambda fate: (-counts[fate], list(FATES).index(fate)))
    return [{"fate": fate, "count": counts[fate]} for fate in order]


def _groups(found: GroupComparison) -> dict[str, Any]:
    return {"by": found.by, "why": found.why, "groups": [asdict(one) for one in found.groups]}
