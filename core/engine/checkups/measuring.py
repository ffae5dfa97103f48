"""What is measured of a column's values, as pure functions on arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.checkups.findings import (
    ANSWER,
    CONTEXT,
    NOTHING,
    PAIR,
    GroupDependence,
    Separation,
)
from ig4.core.host.fingerprint import digest_of
from ig4.core.statistics.ranks import rank_correlation
from ig4.core.statistics.separation import paired_area
from ig4.core.statistics.shares import eta_squared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.checkups.shuffled import ShuffledPairs
    from ig4.storage.samples import SampleRow

LEAST_PAIRS = 20
"""Of fewer pairs nothing is said."""

MOST_ROWS = 20_000
"""The stability of a larger pool is that of a draw of so many."""

_METHOD = 2  # raised when equal values are to be judged anew
_SAME = 0.99  # the share of pairs with the same value that shows what a scorer does not look at


def separation(
    pairs: ShuffledPairs, rated: NDArray[np.float64], *, falls: bool = False
) -> Separation:
    """Return how well a scorer tells pairs apart; `rated` (m,) are its values of them, or NaN.

    The area counts own answers that have the better value: the greater one, or the lower one where
    the scorer's percents fall (`falls`).
    """
    known = np.isfinite(rated)
    told = Separation(
        pairs=int(known.sum()),
        same_question=pairs.same_question,
        same_image=pairs.same_image,
        whole=pairs.whole,
        failed=int((~known).sum()),
        unmatched=pairs.unmatched,
    )
    if told.pairs < LEAST_PAIRS:
        return Separation(**{**told.to_dict(), "why": too_few(told.pairs)})
    own, theirs, rated = pairs.own[known], pairs.theirs[known], rated[known]
    area = paired_area(-own, -rated) if falls else paired_area(own, rated)
    return Separation(
        **{
            **told.to_dict(),
            "area": area.area,
            "low": area.low,
            "high": area.high,
            "sees": _sees(_agree(rated, own), _agree(rated, theirs)),
        }
    )


def too_few(pairs: int) -> str:
    """Return why nothing is said of so many pairs."""
    return f"{pairs} pairs of different answers are too few (at least {LEAST_PAIRS})"


def group_dependence(
    values: NDArray[np.float64], labels: NDArray[np.int64]
) -> GroupDependence | None:
    """Return how much of the variance of values (n,) lies between groups (n,), -1 for none.

    Adjusted as R squared is (Ezekiel 1930): 1 - (1 - eta squared) (n - 1) / (n - groups). None
    where there are fewer than two groups, or as many as rows.
    """
    known = labels >= 0
    values = values[known]
    _, numbers = np.unique(labels[known], return_inverse=True)
    n, groups = len(values), int(numbers.max(initial=-1)) + 1
    if not 1 < groups < n:
        return None
    eta = eta_squared(values, numbers)
    return GroupDependence(groups, n, eta, max(0.0, 1 - (1 - eta) * (n - 1) / (n - groups)))


def length_correlation(rows: Sequence[SampleRow], values: NDArray[np.float64]) -> float | None:
    """Return the rank correlation of values (n,) with the characters of the answers."""
    lengths = np.array([len(row.answer) for row in rows], dtype=np.float64)
    return rank_correlation(lengths, values)


def agreements(name: str, values: Mapping[str, NDArray[np.float64]]) -> dict[str, float | None]:
    """Return a column's rank correlation with each other one, where both have a value."""
    own, found = values[name], {}
    for other, theirs in values.items():
        if other != name:
            both = np.isfinite(own) & np.isfinite(theirs)
            found[other] = rank_correlation(own[both], theirs[both])
    return found


def thinned(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return values (n,), or a draw of `MOST_ROWS` of them in their order."""
    if len(values) <= MOST_ROWS:
        return values
    rows = np.random.default_rng(seed).choice(len(values), MOST_ROWS, replace=False)
    return values[np.sort(rows)]


def inputs_digest(
    fingerprint: str, contents: NDArray[np.int64], values: NDArray[np.float64]
) -> str:
    """Return what stands for a component and its values (n,) of contents (n,).

    With it, what was found is told from what would be found of other values.
    """
    looked_at = hashlib.blake2b(contents.astype("<i8").tobytes(), digest_size=16)
    looked_at.update((values + 0.0).astype("<f8").tobytes())
    return digest_of([_METHOD, fingerprint, looked_at.hexdigest()])


def _agree(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Tell whether nearly all values are equal, but for what low precision makes of them."""
    scale = max(float(np.abs(second).max()), 1e-12)
    return float((np.abs(first - second) <= 1e-6 * scale).mean()) >= _SAME


def _sees(as_own: bool, as_theirs: bool) -> str:
    if as_own and as_theirs:
        return NOTHING
    if as_own:
        return CONTEXT
    return ANSWER if as_theirs else PAIR
