"""Summaries of verdicts: win, tie or fail, shares, intervals, tests, position bias.

Pure functions on arrays. "Win" is always a win of the first answer of a pair, that of the model
under test; a relative score is the second's in percent of the first's, as in LLaVA-Bench.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ig4.core.statistics.resampling import RESAMPLES, Interval, interval, resampled_means, sign_test

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts.evaluation import Side, Verdict

Outcome: TypeAlias = Literal["win", "tie", "fail"]

OUTCOMES: tuple[Outcome, ...] = ("win", "tie", "fail")
_POINTS: Mapping[Side, int] = {"first": 1, "tie": 0, "second": -1}


def outcome(one: Side, other: Side) -> Outcome:
    """Return the outcome for the first answer, given the winners in the two orders (paper, 5.2).

    Both sides name answers, whatever place they were shown in. Win: two wins, or a win and a draw;
    tie: two draws, or a win and a loss; fail: two losses, or a loss and a draw.
    """
    points = _POINTS[one] + _POINTS[other]
    return "win" if points > 0 else "fail" if points < 0 else "tie"


@dataclass(frozen=True, slots=True)
class PositionBias:
    """How far the order decided, as shares (0-1) of the pairs that were judged in both orders.

    `flips`: the verdict changed with the order. `first_shown`, `second_shown`: the answer in that
    place won both times.
    """

    flips: float
    first_shown: float
    second_shown: float


@dataclass(frozen=True, slots=True)
class Tally:
    """The results of the pairs of one category, or of all.

    `win_rate` and `fail_rate` are shares (0-1) of the `n` pairs, `p_value` is the sign test's.
    `first_mean` and `second_mean` are the mean scores of both sides, over both orders, `relative`
    is 100 * second_mean / first_mean. Intervals are 95 % percentile bootstraps over pairs. Without
    pairs all of these are None; so is the relative score where the first's mean is 0.
    """

    n: int
    win: int
    tie: int
    fail: int
    win_rate: float | None
    win_rate_ci: Interval | None
    fail_rate: float | None
    fail_rate_ci: Interval | None
    p_value: float | None
    first_mean: float | None
    second_mean: float | None
    relative: float | None
    relative_ci: Interval | None


@dataclass(frozen=True, slots=True)
class RelativeScore:
    """The relative score of n reviews, in percent, with its 95 % interval; None without any."""

    n: int
    first_mean: float | None
    second_mean: float | None
    relative: float | None
    relative_ci: Interval | None


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """A pair judged in both orders; scores belong to the answers, whatever their places.

    `given` is the verdict with the first answer shown first, `swapped` the verdict with it shown
    second: in both, `first` is the score of the first answer.
    """

    category: str
    given: Verdict
    swapped: Verdict

    @property
    def sides(self) -> tuple[Side, Side]:
        """Who won in each order."""
        return self.given.winner, self.swapped.winner

    @property
    def outcome(self) -> Outcome:
        """Win, tie or fail of the first answer."""
        return outcome(*self.sides)


@dataclass(frozen=True, slots=True)
class Summary:
    """All results of a judgement; `failed` pairs lack a verdict, and count nowhere else."""

    overall: Tally
    categories: Mapping[str, Tally]
    position_bias: PositionBias | None
    failed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def summarise(
    pairs: Sequence[JudgedPair], failed: int = 0, *, resamples: int = RESAMPLES, seed: int = 42
) -> Summary:
    """Summarise judged pairs, overall and by category in order of appearance."""
    categories = {
        name: tally([pair for pair in pairs if pair.category == name], resamples, seed)
        for name in dict.fromkeys(pair.category for pair in pairs)
        if name
    }
    return Summary(tally(pairs, resamples, seed), categories, position_bias(pairs), failed)


def tally(pairs: Sequence[JudgedPair], resamples: int = RESAMPLES, seed: int = 42) -> Tally:
    """Count the outcomes of pairs, and compute their scores, intervals and test."""
    counts = dict.fromkeys(OUTCOMES, 0)
    for pair in pairs:
        counts[pair.outcome] += 1
    n = len(pairs)
    if not n:
        return Tally(0, 0, 0, 0, *[None] * 9)
    values = np.array(
        [
            (
                pair.outcome == "win",
                pair.outcome == "fail",
                (pair.given.first + pair.swapped.first) / 2,
                (pair.given.second + pair.swapped.second) / 2,
            )
            for pair in pairs
        ],
        dtype=np.float64,
    )
    means = resampled_means(values, resamples=resamples, seed=seed)
    score = _relative(values[:, 2:], means[:, 2:])
    return Tally(
        n,
        **counts,
        win_rate=counts["win"] / n,
        win_rate_ci=interval(means[:, 0]),
        fail_rate=counts["fail"] / n,
        fail_rate_ci=interval(means[:, 1]),
        p_value=sign_test(counts["win"], counts["fail"]),
        first_mean=score.first_mean,
        second_mean=score.second_mean,
        relative=score.relative,
        relative_ci=score.relative_ci,
    )


def relative(
    scores: Sequence[tuple[float, float]], *, resamples: int = RESAMPLES, seed: int = 42
) -> RelativeScore:
    """Return 100 * mean(second) / mean(first) of (first, second) scores, as LLaVA-Bench does."""
    if not scores:
        return RelativeScore(0, None, None, None, None)
    values = np.array(scores, dtype=np.float64)
    return _relative(values, resampled_means(values, resamples=resamples, seed=seed))


def _relative(values: NDArray[np.float64], means: NDArray[np.float64]) -> RelativeScore:
    first, second = (float(mean) for mean in values.mean(axis=0))
    if first <= 0:
        return RelativeScore(len(values), first, second, None, None)
    drawn = means[means[:, 0] > 0]  # a sample of zeros alone has no relative score
    return RelativeScore(
        len(values), first, second, 100 * second / first, interval(100 * drawn[:, 1] / drawn[:, 0])
    )


def position_bias(pairs: Sequence[JudgedPair]) -> PositionBias | None:
    """Return how far the order decided; None without pairs."""
    if not pairs:
        return None
    sides = [pair.sides for pair in pairs]
    return PositionBias(
        flips=sum(one != other for one, other in sides) / len(sides),
        first_shown=sides.count(("first", "second")) / len(sides),
        second_shown=sides.count(("second", "first")) / len(sides),
    )
