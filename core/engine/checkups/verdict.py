"""Says in words whether a column of scores is worth trusting, from what was measured of it."""

from __future__ import annotations

from collections.abc import Iterator

from ig4.core.counts import counted
from ig4.core.engine.checkups.findings import (
    ANSWER,
    CAREFUL,
    CONTEXT,
    NOISE,
    NOTHING,
    PAIR,
    TRUST,
    ColumnCheckup,
    Separation,
)

CHANCE = 0.55
"""An area under the ROC whose interval reaches down to this, or up to 1 less this, may be chance.

One whose interval lies below is reversed: the scorer tells pairs apart, and prefers the others.
"""

WIDEST = 0.70
"""One whose interval reaches from chance up to this, or as far down, is of too few pairs to say."""

WEAK = 0.65
"""One whose interval reaches down to this, or up to 1 less this, tells little."""

MOST_EQUAL = 0.5
"""The share of equal values above which a column can reject samples, but hardly rank them."""

MOST_FAILED = 0.05
MOST_BETWEEN = 0.30
MOST_LENGTH = 0.70
MOST_ALIKE = 0.95
LEAST_STABLE = 0.70


def verdict(found: ColumnCheckup) -> tuple[str, tuple[str, ...]]:
    """Return the verdict on what was measured of a column, and its reasons, the gravest first."""
    noise, doubts = list(_noise(found)), list(_doubts(found))
    if noise:
        return NOISE, (*noise, *doubts)
    if doubts:
        return CAREFUL, tuple(doubts)
    return TRUST, (f"it tells a sample's own answer from another's: {_area(found.separation)}",)


def _noise(found: ColumnCheckup) -> Iterator[str]:
    spread, told = found.saturation, found.separation
    if spread is not None and spread.distinct == 1 and found.values > 1:
        yield f"all {found.values:,} values are equal"
    limits = _limits(told)
    if limits and _may_be_chance(*limits) and not _is_wide(*limits):
        how = "cannot tell" if limits[0] <= 0.5 <= limits[1] else "hardly tells"
        yield f"it {how} a sample's own answer from another's: {_area(told)}"


def _doubts(found: ColumnCheckup) -> Iterator[str]:
    yield from _doubts_of_values(found)
    yield from _doubts_of_pairs(found.separation)
    for name, group in found.groups.items():
        if group.adjusted > MOST_BETWEEN:
            yield (
                f"it says first of what kind a sample is: {group.eta:.0%} of its variance lies "
                f"between the {group.groups} groups of {name}"
            )
    if found.length is not None and abs(found.length) > MOST_LENGTH:
        yield f"it mostly follows the length of the answer (rank correlation {found.length:+.2f})"
    for other, value in found.agreement.items():
        if value is not None and abs(value) > MOST_ALIKE:
            yield f"it orders samples as {other} does (rank correlation {value:+.2f})"
    stable = found.stability
    if stable is not None and stable.mean < LEAST_STABLE:
        yield (
            f"only {stable.mean:.0%} of its best {stable.size:,} stay when the pool is drawn anew"
            + (f": {stable.tied:,} are tied for the last places" if stable.tied > 1 else "")
        )


def _doubts_of_values(found: ColumnCheckup) -> Iterator[str]:
    if found.values == 0:
        yield "no sample has a value"
        return
    if found.failures > MOST_FAILED * found.samples:
        yield f"{found.failures:,} of {counted(found.samples, 'sample')} failed"
    missing = found.samples - found.values - found.failures
    if missing > found.values:
        yield f"only {found.values:,} of {counted(found.samples, 'sample')} have a value"
    spread = found.saturation
    if spread is not None and spread.distinct > 1 and spread.equal > MOST_EQUAL:
        yield (
            f"{spread.equal:.0%} of its values are equal: it can reject samples, but hardly rank "
            "them"
        )


def _doubts_of_pairs(told: Separation) -> Iterator[str]:
    if told.why is not None:
        yield f"not rated again with other answers: {told.why}"
    elif told.sees == ANSWER:
        yield (
            "it does not look at the pair: an answer has the same value beside another image or "
            "question"
        )
    elif told.sees in (CONTEXT, NOTHING):
        yield "it does not look at the pair: another answer has the same value"
    limits = _limits(told)
    if limits is not None:
        low, high = limits
        if is_reversed(told):
            weakly = " weakly" if high >= 1 - WEAK else ""
            yield (
                f"it is reversed: it{weakly} prefers the answers of other samples, so its low "
                f"percents are the good ones ({_area(told)}); give it a negative weight, or a "
                "scale on which more is better"
            )
        elif _may_be_chance(low, high) and _is_wide(low, high):
            yield f"too few pairs to say whether it tells own answers from others: {_area(told)}"
        elif CHANCE < low <= WEAK:
            yield f"it tells a sample's own answer from another's only weakly: {_area(told)}"


def is_reversed(told: Separation) -> bool:
    """Tell whether a scorer tells pairs apart, but prefers the answers of other samples."""
    limits = _limits(told)
    return limits is not None and limits[1] < 1 - CHANCE


def _may_be_chance(low: float, high: float) -> bool:
    return low <= CHANCE and high >= 1 - CHANCE


def _is_wide(low: float, high: float) -> bool:
    return high > WIDEST or low < 1 - WIDEST


def _limits(told: Separation) -> tuple[float, float] | None:
    """Return the interval of the area of a scorer that looks at the pair."""
    if told.sees != PAIR or told.low is None or told.high is None:
        return None
    return told.low, told.high


def _area(told: Separation) -> str:
    return (
        f"area under the ROC {told.area:.2f} ({told.low:.2f} to {told.high:.2f}) of "
        f"{counted(told.pairs, 'pair')}"
    )
