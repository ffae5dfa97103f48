"""What a check-up found of a column of scores, as values that are stored and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ig4.core.statistics.saturation import Saturation
from ig4.core.statistics.topshare import TopStability
from ig4.core.views.tabular import ResultTable, TabularResult

if TYPE_CHECKING:
    from ig4.core.records import JSON

TRUST, CAREFUL, NOISE = "trust", "careful", "noise"
"""The verdicts."""

PAIR, ANSWER, CONTEXT, NOTHING = "pair", "answer", "context", "nothing"
"""What the values of a scorer depend on, as far as the pairs show: on answer and image or question
together, on the answer alone, on image and question alone, or on neither."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How well a scorer tells samples from the same ones with the answer of another sample.

    `area` under the ROC (0 to 1; chance is 0.5, below it the answers of others have the better
    values) with its 95 % interval, of `pairs` that have both values; `sees` is what the values
    depend on. None of these is known where `why` says why not. `same_question` and `same_image`
    count pairs whose two samples have these in common, `whole` those in which all turns of the
    other sample were put in the place of the own ones, for their numbers differ. `failed` counts
    samples that could not be rated with another answer, `unmatched` those for which there was none.
    """

    pairs: int = 0
    area: float | None = None
    low: float | None = None
    high: float | None = None
    sees: str | None = None
    same_question: int = 0
    same_image: int = 0
    whole: int = 0
    failed: int = 0
    unmatched: int = 0
    why: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class GroupDependence:
    """How much of a column's variance lies between groups: eta squared, 0 to 1.

    `adjusted` is eta squared less what so many `groups` of so few `rows` have by chance.
    """

    groups: int
    rows: int
    eta: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class ColumnCheckup:
    """A column of scores, what was found of it, and the verdict with its reasons.

    `samples` have a value (`values`), an error (`failures`), or neither. `groups` and `length`
    (rank correlation with the characters of the answer) are of at most 2,000 of them, `agreement`
    (rank correlation with each other column) of all. `falls` tells whether low values have high
    percents on the scorer's own scale. `pool_dependent` tells whether that scale changes with the
    samples beside; None where it cannot be had. `wanted`, `seed` and `paid` are what was asked for,
    `grouped` a digest of the groups.
    """

    name: str
    verdict: str
    reasons: Sequence[str]
    samples: int
    values: int
    failures: int
    separation: Separation
    saturation: Saturation | None
    groups: Mapping[str, GroupDependence]
    length: float | None
    agreement: Mapping[str, float | None]
    stability: TopStability | None
    falls: bool
    pool_dependent: bool | None
    wanted: int
    seed: int
    paid: bool
    grouped: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self) | {"reasons": list(self.reasons)}

    @classmethod
    def from_dict(cls, kept: Mapping[str, JSON]) -> ColumnCheckup:
        """Return what `to_dict` gave.

        Raises:
            TypeError, KeyError: it is of another version of ig4.
        """
        spread, stable = kept["saturation"], kept["stability"]
        return cls(
            **{
                **kept,
                "reasons": tuple(kept["reasons"]),
                "separation": Separation(**kept["separation"]),
                "saturation": None if spread is None else Saturation(**spread),
                "groups": {k: GroupDependence(**v) for k, v in kept["groups"].items()},
                "stability": None if stable is None else TopStability(**stable),
            }
        )


@dataclass(frozen=True, slots=True, repr=False)
class CheckResult(TabularResult):
    """The columns of a data set that were checked; `fresh` names those that were not stored yet."""

    dataset: str
    columns: Sequence[ColumnCheckup]
    fresh: Sequence[str] = ()
    seconds: float = field(default=0.0, compare=False)

    def of(self, name: str) -> ColumnCheckup:
        """Return what was found of the column of this name.

        Raises:
            KeyError: it was not checked.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return {
            "dataset": self.dataset,
            "columns": {column.name: column.to_dict() for column in self.columns},
            "fresh": list(self.fresh),
            "seconds": round(self.seconds, 3),
        }

    def headline(self) -> str:
        """Return what it is, in a few words."""
        told = ", ".join(f"{one.name} {one.verdict}" for one in self.columns)
        return f"{self.dataset}: {told or 'no scores'}"

    def _table(self) -> ResultTable:
        rows = [
            (one.name, one.verdict, one.values, one.failures, one.separation.area, one.length,
             "; ".join(one.reasons))
            for one in self.columns
        ]  # fmt: skip
        columns = ("scorer", "verdict", "values", "failures", "area", "length", "reasons")
        return ResultTable(columns, rows)
