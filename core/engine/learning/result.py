"""What was learned: weights with intervals, how far they can be trusted, and the recipe of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ig4.core.statistics.ridge import effect_intervals, fit_ridge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.learning.plan import LearningPlan

DOUBT = 0.05
"""The p above which a prediction is said to be perhaps luck."""

Verdict: TypeAlias = Literal["predicts", "perhaps luck", "does not predict"]


@dataclass(frozen=True, slots=True)
class LearnedWeight:
    """The weight of an indicator; the sizes of all weights sum to 1.

    `low` to `high` is its interval of 95 %, in the same unit: of the effect without the penalty,
    which pulls the weight towards 0. `effect` is by how much the result is better when the mean
    percentile of a subset is 10 points higher. `clear`: the interval leaves 0 out.
    """

    name: str
    weight: float
    low: float
    high: float
    effect: float
    effect_low: float
    effect_high: float
    clear: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """Weights, and how well they predict the results of subsets that were left out."""

    weights: tuple[LearnedWeight, ...]
    subsets: int
    penalty: float
    r2: float
    predicted_r2: float
    p: float

    @property
    def verdict(self) -> Verdict:
        """Whether the indicators predict the result."""
        if self.predicted_r2 <= 0:
            return "does not predict"
        return "predicts" if self.p <= DOUBT else "perhaps luck"

    def notices(self) -> Iterator[str]:
        """Yield what the user should know before using the weights."""
        if self.verdict == "does not predict":
            yield (
                "these indicators do not predict the result (R² of left-out subsets "
                f"{self.predicted_r2:.2f}): the weights are not to be trusted"
            )
        elif self.verdict == "perhaps luck":
            yield (
                f"that these indicators predict the result may be luck (p = {self.p:.2f}): learn "
                "from more subsets (--subsets), which go on from these, before you trust the "
                "weights"
            )
        negative = [one.name for one in self.weights if one.weight < 0]
        if negative:
            yield (
                f"the weight of {', '.join(negative)} is below 0: `ig4 select` takes such weights, "
                "and prefers samples with less of it"
            )
        turned = [one.name for one in self.weights if one.clear and one.weight * one.low < 0]
        if turned:
            yield (
                f"{', '.join(turned)}: weight and interval have different signs, as the indicators "
                "hang together; do not read it alone"
            )


@dataclass(frozen=True, slots=True, eq=False)
class LearningResult:
    """The result of `ig4 learn-weights`; `id` is the number of the ablation with its cells.

    `used` are the subsets with a result, and `outcomes` these results; `computed` counts the cells
    that this call trained or evaluated, `partial` the used subsets that lack some of their seeds,
    `unanswered` the questions without an answer.
    """

    id: int
    dataset: str
    plan: LearningPlan
    used: tuple[str, ...]
    outcomes: tuple[float, ...]
    learned: Learned
    computed: int
    cells: int
    failed: int
    partial: int
    unanswered: int

    def to_dict(self) -> dict[str, Any]:
        """Return the result, JSON-able."""
        learned, plan = self.learned, self.plan
        return {
            "ablation": self.id,
            "dataset": self.dataset,
            "benchmarks": [choice.label for choice in plan.benchmarks],
            "metric": plan.metric.label,
            "lower_is_better": plan.metric.lower_is_better,
            "within": plan.within,
            "size": plan.size,
            "subsets": len(plan.subsets),
            "used": len(self.used),
            "seeds": list(plan.seeds),
            "cells": self.cells,
            "computed": self.computed,
            "failed": self.failed,
            "partial": self.partial,
            "unanswered": self.unanswered,
            "design": plan.design.to_dict(),
            "weights": {one.name: asdict(one) for one in learned.weights},
            "left_out": [
                name for name in plan.names if name not in {one.name for one in learned.weights}
            ],
            "penalty": learned.penalty,
            "r2": learned.r2,
            "predicted_r2": learned.predicted_r2,
            "p": learned.p,
            "verdict": learned.verdict,
            "outcomes": dict(zip(self.used, map(float, self.outcomes), strict=True)),
        }


def fit_weights(
    names: Sequence[str],
    means: NDArray[np.float64],
    outcomes: NDArray[np.float64],
    *,
    seed: int = 42,
) -> Learned:
    """Regress outcomes (s,), of which more is better, on mean percentiles (s, m) of subsets.

    A selection sums weight x percentile, so a weight is the effect of one point, not of one
    deviation.
    """
    fit = fit_ridge(means, outcomes, seed=seed)
    _, intervals = effect_intervals(means, outcomes, seed=seed)
    spread = means.std(axis=0)
    point = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
    slopes = fit.coefficients * point
    total = float(np.abs(slopes).sum())
    unit = 1.0 / total if total > 0 else 0.0
    weights = []
    for n, name in enumerate(names):
        low, high = (float(end * point[n]) for end in intervals[n])
        weights.append(
            LearnedWeight(
                name,
                float(slopes[n]) * unit,
                low * unit,
                high * unit,
                10 * float(slopes[n]),
                10 * low,
                10 * high,
                clear=low > 0 or high < 0,
            )
        )
    return Learned(tuple(weights), len(outcomes), fit.penalty, fit.r2, fit.predicted_r2, fit.p)


def provenance(result: LearningResult) -> Mapping[str, Any]:
    """Return what a recipe tells of how its weights were learned."""
    told = result.to_dict()
    names = (
        "dataset", "ablation", "benchmarks", "metric", "lower_is_better", "subsets", "used", "size",
        "predicted_r2", "p", "verdict",
    )  # fmt: skip
    return {name: told[name] for name in names}
