"""How several scores make one: the final score F(x), on arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from ig4.core.engine.selecting.algorithm import final_scores
from ig4.core.engine.selecting.scaling import percentile

if TYPE_CHECKING:
    from numpy.typing import NDArray

Combination: TypeAlias = Literal["sum", "product", "mean-rank", "vote", "min"]
COMBINATIONS: tuple[str, ...] = get_args(Combination)


def combined(
    percent: NDArray[np.float64], weights: NDArray[np.float64], how: str, size: int
) -> NDArray[np.float64]:
    """Return the final score (n,) of percents (n, m) with weights (m,).

    "sum": F(x) of the paper, weight x score summed. "product": 100 x the product of (score / 100)
    to the power of its weight; a score below 0 counts as 0. "mean-rank": the weighted sum of
    percentiles. "vote": the weights of the scorers that have the sample among their best `size`;
    of equal votes the sum decides, by its percentile / 101. "min": the least score of those whose
    weight is not 0.
    """
    if how == "product":
        return _product(percent, weights)
    if how == "mean-rank":
        ranks = np.column_stack([percentile(column) for column in percent.T] or [percent])
        return final_scores(ranks, weights)
    if how == "vote":
        return _votes(percent, weights, size)
    if how == "min" and weights.any():
        least: NDArray[np.float64] = percent[:, weights != 0].min(axis=1)
        return least
    return final_scores(percent, weights)


def _product(percent: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    result = np.full(len(percent), 100.0)
    for column, weight in zip(percent.T, weights.tolist(), strict=True):
        share = np.maximum(column, 0.0) / 100.0
        if weight < 0:  # a score to avoid: nothing is better than least
            share = np.maximum(share, 1e-9)
        result *= share**weight
    return result


def _votes(
    percent: NDArray[np.float64], weights: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    votes = np.zeros(len(percent))
    size = min(size, len(percent))
    if size == 0:
        return votes
    for column, weight in zip(percent.T, weights.tolist(), strict=True):
        line = np.partition(column, len(column) - size)[len(column) - size]
        votes += weight * (column >= line)
    return votes + percentile(final_scores(percent, weights)) / 101.0
