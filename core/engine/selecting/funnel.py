"""The stages of a selection before its selector: what each leaves out, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Needs
from ig4.core.counts import counted
from ig4.core.engine.selecting.alike import BITS, NEAREST, Line, alike_rows
from ig4.core.engine.selecting.scaling import percentile, percentile_within
from ig4.core.errors import UsageError
from ig4.core.suggest import did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool
    from ig4.core.engine.selecting.alike import Others
    from ig4.core.records import Choice

HASHED = ("phash", "text")
"""The spaces that are compared where a stage counts bits and names no space."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: `do` is "reject", "dedup" or "take"; see `ig4.core.config.StageSection`."""

    do: str
    tails: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    within: str | None = None
    spaces: tuple[str, ...] = ()
    alike: float = 0.95
    bits: int | None = None
    selector: Choice | None = None
    size: int | None = None
    fraction: float | None = None

    def needs(self) -> Needs:
        """Return what it reads of the pool, beside the selector of a "take"."""
        if self.do == "reject":
            groups = (self.within,) if self.within else ()
            return Needs(scores=True, columns=tuple(self.tails), groups=groups)
        if self.do == "dedup":
            first, rest = self.spaces[:1], self.spaces[1:]
            neighbours = tuple((space, NEAREST) for space in first)
            return Needs(spaces=rest, neighbours=neighbours)
        return Needs()

    def requires(self) -> Needs:
        """Return what a sample must have to be a candidate at all; vectors may be missing."""
        return Needs() if self.do == "dedup" else self.needs()

    def line(self) -> Line:
        """Return when it takes two vectors for alike."""
        return Line(self.alike, BITS if self.bits is None else self.bits)

    def to_dict(self) -> dict[str, Any]:
        """Return what was given, JSON-able."""
        given: dict[str, Any] = {
            "do": self.do,
            "tails": {name: list(bounds) for name, bounds in self.tails.items()},
            "within": self.within,
            "spaces": list(self.spaces),
            "alike": self.alike if self.spaces else None,
            "bits": self.bits,
            "selector": None if self.selector is None else self.selector.to_dict(),
            "size": self.size,
            "fraction": self.fraction,
        }
        empty: tuple[object, ...] = (None, [], {})
        return {name: value for name, value in given.items() if value not in empty}


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage did: `before` and `after` count samples; `reasons` says why, by sample id."""

    stage: Stage
    before: int
    after: int
    reasons: Mapping[int, str]

    def to_dict(self) -> dict[str, Any]:
        """Return stage and counts, JSON-able."""
        return {**self.stage.to_dict(), "before": self.before, "after": self.after}

    def notice(self, number: int) -> str:
        """Return what it did, in a sentence."""
        return (
            f"stage {number} ({self.stage.do}) left out "
            f"{counted(self.before - self.after, 'sample')} of {self.before:,}"
        )


def check_stages(stages: Sequence[Stage]) -> None:
    """Refuse stages that say nothing, or what another kind of stage would.

    Raises:
        UsageError: names the stage.
    """
    for number, stage in enumerate(stages, start=1):
        where = f"[select] stages: stage {number} ({stage.do})"
        if stage.do == "reject" and not stage.tails:
            raise UsageError(f"{where} names no tails: tails = {{ clip = [25, 100] }}")
        if stage.do != "reject" and (stage.tails or stage.within):
            raise UsageError(f"{where}: tails and within belong to a stage that rejects")
        if stage.do != "dedup" and (stage.spaces or stage.bits is not None):
            raise UsageError(
                f"{where}: spaces and bits belong to a stage that drops duplicates (dedup)"
            )
        if stage.do == "take" and (stage.size is None) == (stage.fraction is None):
            wrong = "needs a size or a fraction"
            if stage.size is not None:
                wrong = "has a size and a fraction: give one of the two, not both"
            raise UsageError(f"{where} {wrong}")
        if stage.do != "take" and (stage.size or stage.fraction or stage.selector):
            raise UsageError(f"{where}: size, fraction and selector belong to a stage that takes")
        for name, (low, high) in stage.tails.items():
            if not 0 <= low < high <= 100:
                raise UsageError(
                    f"{where}: {name} = [{low:g}, {high:g}] is no range of percentiles"
                )


def rejected_rows(stage: Stage, pool: Pool) -> dict[int, str]:
    """Return the rows that lie in a tail, and why."""
    labels = None if stage.within is None else _with_rest(pool, stage.within)
    why: dict[int, str] = {}
    for name, (low, high) in stage.tails.items():
        if name not in pool.scorers and not pool.has_column(name):
            raise UsageError(
                f"a stage rejects by {name}, which has no scores{did_you_mean(name, pool.scorers)}"
            )
        values = pool.percent(name)
        known = ~np.isnan(values)
        ranks = np.full(pool.n, np.nan)
        ranks[known] = (
            percentile(values[known])
            if labels is None
            else percentile_within(values[known], labels[known])
        )
        among = "of all" if labels is None else "of its group"
        for row in np.flatnonzero((ranks < low) | (ranks > high)).tolist():
            side, line = ("below", low) if ranks[row] < low else ("above", high)
            why.setdefault(row, f"{name} is {side} percentile {line:g} {among} ({ranks[row]:.1f})")
    return why


def equal_rows(pool: Pool, name_of: Callable[[int], str]) -> dict[int, str]:
    """Return the rows that say and show what one before them does; `name_of` gives a row's id."""
    why: dict[int, str] = {}
    first: dict[int, int] = {}
    for row, content in enumerate(pool.contents.tolist()):
        if first.setdefault(content, row) != row:
            why[row] = f"it has the texts and images of {name_of(first[content])}"
    return why


def near_rows(
    stage: Stage,
    pool: Pool,
    name_of: Callable[[int], str],
    others_agree: Others | None = None,
) -> dict[int, str]:
    """Return the rows that are alike to one before them that stays, in which spaces, and to which.

    `others_agree` decides on what a space does not show: the images after the first.

    Raises:
        UsageError: the stage counts bits, and no space of it holds hashes.
    """
    if pool.n < 2:
        return {}
    found = alike_rows(
        pool,
        stage.spaces,
        stage.line(),
        wants_hashes=stage.bits is not None,
        others_agree=others_agree,
    )
    return {row: f"it is alike to {name_of(one)} in {what}" for row, (one, what) in found.items()}


def _with_rest(pool: Pool, grouper: str) -> NDArray[np.int64]:
    groups = pool.groups(grouper)
    return np.where(groups.labels < 0, len(groups.names), groups.labels)
