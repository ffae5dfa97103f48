"""Which samples are too bad for their kind: tails of indicators within groups, relaxed in need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Tail(NamedTuple):
    """The percentiles within its group that a sample may have."""

    low: float
    high: float = 100.0

    def relaxed(self, factor: float) -> Tail:
        """Return tails that are `factor` times as long."""
        return Tail(self.low * factor, 100.0 - (100.0 - self.high) * factor)

    @property
    def mirrored(self) -> Tail:
        """The same tails of a score of which less is better."""
        return Tail(100.0 - self.high, 100.0 - self.low)


PRESETS: Mapping[str, Mapping[str, Tail]] = {
    "default": {
        "clip": Tail(25), "reward": Tail(15), "gpt": Tail(25), "claude": Tail(25),
        "length": Tail(10, 85),
    },
    "strict": {
        "clip": Tail(40), "reward": Tail(25), "gpt": Tail(40), "claude": Tail(40),
        "length": Tail(20, 75),
    },
}  # fmt: skip
"""What samples may have of the paper's indicators."""

OTHER: Mapping[str, Tail] = {"default": Tail(15), "strict": Tail(25)}
"""What they may have of any other."""

FLOORS: Mapping[str, float] = {
    "ending": 50.0, "ending-in-pool": 25.0, "repetition": 50.0, "odd-characters": 50.0,
    "own-picture": 90.0,
}  # fmt: skip
"""Least percents of scores that know what is broken without comparing samples of a kind."""

BY_CHANCE = ("own-picture",)
"""Scores spread evenly from 0 to 100 percent where they know nothing: chance passes a floor."""

TELLING = 0.10
"""The share of a group that must be above such a floor beside those that are so by chance."""

FACTORS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""The steps in which tails are relaxed."""

DROPPED = -1.0
"""The factor of a group in which even what is below a floor may be taken."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """What is left: `kept` (n,) bool, the factor of each group (g,), and what decided.

    `percentiles` (n, m) are within groups, of the m `names`, whose `tails` are not relaxed yet, and
    NaN of rows that do not have the score;
    `below` has by scorer the rows (n,) that are below its floor.
    """

    kept: NDArray[np.bool_]
    factors: NDArray[np.float64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    percentiles: NDArray[np.float64]
    tails: Sequence[Tail]
    below: Mapping[str, NDArray[np.bool_]]

    def why(self, row: int) -> list[str]:
        """Return what rejects a row, in words."""
        factor = float(self.factors[self.labels[row]])
        said = [
            f"the percent of {name} is below its floor"
            for name, rows in self.below.items()
            if factor >= 0 and rows[row]
        ]
        for n, name in enumerate(self.names):
            tail, own = self.tails[n].relaxed(max(0.0, factor)), float(self.percentiles[row, n])
            if own < tail.low:
                said.append(f"{name} is below percentile {tail.low:g} of its group ({own:.1f})")
            elif own > tail.high:
                said.append(f"{name} is above percentile {tail.high:g} of its group ({own:.1f})")
        return said

    def rules(self) -> dict[str, NDArray[np.bool_]]:
        """Return by rule which rows (n,) it rejects, floors first."""
        factor = self.factors[self.labels]
        found = {
            f"{name}: percent below floor": rows & (factor >= 0)
            for name, rows in self.below.items()
        }
        for n, name in enumerate(self.names):
            own = self.percentiles[:, n]
            low, high = np.empty(len(own)), np.empty(len(own))
            for one in np.unique(factor).tolist():
                tail = self.tails[n].relaxed(max(0.0, one))
                low[factor == one], high[factor == one] = tail.low, tail.high
            found[f"{name} low for its group"] = own < low
            found[f"{name} high for its group"] = own > high
        return found


def reject(
    labels: NDArray[np.int64],
    quotas: NDArray[np.int64],
    names: tuple[str, ...],
    percentiles: NDArray[np.float64],
    tails: Sequence[Tail],
    below: Mapping[str, NDArray[np.bool_]],
) -> Rejection:
    """Reject rows in a tail of any indicator within their group, labels (n,) in 0..g-1.

    A group of which fewer than twice its quota (g,) would stay has its tails relaxed step by step;
    one that has fewer than its quota even without tails also takes what is below floors.
    """
    sound = np.ones(len(labels), dtype=bool)
    for rows in below.values():
        sound &= ~rows
    kept = np.zeros(len(labels), dtype=bool)
    factors = np.full(len(quotas), DROPPED)
    open_ = np.bincount(labels, minlength=len(quotas)) > 0
    factors[~open_] = 1.0
    for factor in FACTORS:
        passing = sound & _inside(percentiles, [tail.relaxed(factor) for tail in tails])
        left = np.bincount(labels[passing], minlength=len(quotas))
        enough = open_ & (left >= (2 * quotas if factor > 0 else quotas))
        factors[enough] = factor
        kept |= passing & enough[labels]
        open_ &= ~enough
        if not open_.any():
            break
    kept |= open_[labels]
    return Rejection(kept, factors, labels, names, percentiles, tails, below)


def below_floor(percent: NDArray[np.float64], floor: float) -> NDArray[np.bool_]:
    """Return which rows (n,) have less than a floor; those without a value have not."""
    return percent < floor


def telling_groups(
    percent: NDArray[np.float64], floor: float, labels: NDArray[np.int64], groups: int
) -> NDArray[np.bool_]:
    """Return in which groups (g,) a score of BY_CHANCE tells samples apart at a floor.

    Where it knows nothing of a group, `1 - floor / 100` of it are above the floor. It tells
    something if at least a tenth of the others are, too: with fewer, the group is bad as a whole or
    the score is noise, and nobody can tell which.
    """
    known = ~np.isnan(percent)
    chance = 1 - floor / 100
    members = np.bincount(labels[known], minlength=groups)
    above = np.bincount(labels[known & (percent >= floor)], minlength=groups)
    return above >= (chance + TELLING * (1 - chance)) * np.maximum(members, 1)


def _inside(percentiles: NDArray[np.float64], tails: Sequence[Tail]) -> NDArray[np.bool_]:
    inside = np.ones(len(percentiles), dtype=bool)
    for column, tail in zip(percentiles.T, tails, strict=True):
        inside &= ~((column < tail.low) | (column > tail.high))  # NaN: nothing to compare
    return inside
