"""Differences between arms, paired by seed within base model, and what they may be called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from arms import BOUNDS, ORACLE, RIVAL

from ig4.core.statistics.paired import compare

MARGIN = 1.0
"""Points that may be lost: above that, an arm is not inferior."""

LEVEL = 0.05

Cells = Mapping[tuple[str, str, int], Mapping[str, float]]
"""The endpoints of a cell, by base model, arm and seed."""

Verdict = Literal["ahead", "behind", "not inferior", "undecided"]


@dataclass(frozen=True, slots=True)
class Contrast:
    """How an arm differs from its rival in an endpoint.

    `low` and `high` are the 95 % interval over all pairs, None for a single pair; `corrected` is
    p by Holm, None for arms that are not corrected.
    """

    arm: str
    pairs: int
    difference: float
    low: float | None
    high: float | None
    p: float | None
    by_base: Mapping[str, float]
    corrected: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What the plan calls it."""
        p = self.p if self.corrected is None else self.corrected
        if p is not None and p < LEVEL and self.difference != 0:
            return "ahead" if self.difference > 0 else "behind"
        if self.low is not None and self.low > -MARGIN:
            return "not inferior"
        return "undecided"


def contrast(cells: Cells, arm: str, rival: str, endpoint: str = "mean") -> Contrast | None:
    """Return how an arm differs from a rival on the bases and seeds that both have; None if none.

    An arm at a budget is compared with the rival at the same budget by giving its full name.
    """
    pairs = [
        (base, cells[base, name, seed][endpoint], cells[base, rival, seed][endpoint])
        for base, name, seed in sorted(cells)
        if name == arm and (base, rival, seed) in cells
    ]
    if not pairs:
        return None
    found = compare([one for _, one, _ in pairs], [other for _, _, other in pairs])
    p = None if found.low is None else (found.student or found.permutation).both
    bases = dict.fromkeys(base for base, _, _ in pairs)
    by_base = {base: fmean(a - b for name, a, b in pairs if name == base) for base in bases}
    return Contrast(arm, found.pairs, found.difference, found.low, found.high, p, by_base)


def contrasts(
    cells: Cells, arms: Sequence[str], rival: str = RIVAL, endpoint: str = "mean"
) -> dict[str, Contrast]:
    """Return the contrasts of all arms but the rival, with p corrected for all but the bounds."""
    found = [contrast(cells, arm, rival, endpoint) for arm in arms if arm != rival]
    known = [one for one in found if one is not None]
    tested = [one for one in known if one.arm not in BOUNDS and one.p is not None]
    corrected = dict(
        zip(
            (one.arm for one in tested),
            holm([one.p for one in tested if one.p is not None]),
            strict=True,
        )
    )
    return {one.arm: _corrected(one, corrected.get(one.arm)) for one in known}


def _corrected(one: Contrast, p: float | None) -> Contrast:
    return Contrast(one.arm, one.pairs, one.difference, one.low, one.high, one.p, one.by_base, p)


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number, in their order (Holm 1979).

    The k-th smallest of m is multiplied by m - k + 1; none is below a smaller one's, or above 1.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected = [0.0] * len(values)
    highest = 0.0
    for place, at in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - place) * values[at]))
        corrected[at] = highest
    return corrected


def can_show(cells: Cells) -> bool | None:
    """Tell whether a world can show anything: the oracle is ahead of random; None if unknown."""
    found = contrast(cells, ORACLE, RIVAL)
    if found is None or found.low is None:
        return None
    return found.low > 0
