"""Subsets of different mixes, and whether effects of indicators can be told apart by them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.engine.selecting.algorithm import share_quotas
from ig4.core.engine.selecting.scaling import percentile
from ig4.core.statistics.ridge import standardised

if TYPE_CHECKING:
    from numpy.typing import NDArray

PER_INDICATOR = 10
"""How many subsets an indicator should have."""

ALIKE = 0.9
"""The correlation from which the means of two indicators are said to move together."""

INFLATED = 10.0
"""The variance inflation from which the other indicators are said to tell one already."""

FLAT = 2.0
"""The deviation of a mean percentile, in points, below which it is said hardly to vary."""


@dataclass(frozen=True, slots=True)
class Mixing:
    """How the mix of a subset is drawn: see `draw_subset`."""

    bins: int = 5
    concentration: float = 0.5


def decorrelated(percentiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return percentiles (n, m) of what indicators say of a sample when others are taken out.

    Mixes of plain percentiles would make indicators that hang together do so even more in the means
    of subsets (correlations are squared, as it were). The values are whitened by the inverse square
    root of their correlations, the least change that makes them uncorrelated (ZCA), and ranked.
    """
    z = standardised(percentiles)
    values, vectors = np.linalg.eigh(z.T @ z / max(1, len(z)))
    known = values > 1e-9 * max(1.0, float(values.max(initial=0.0)))
    scales = np.where(known, 1.0 / np.sqrt(np.where(known, values, 1.0)), 0.0)
    white = z @ (vectors * scales) @ vectors.T
    # Rounded: equal samples must stay equal.
    return np.column_stack([percentile(column.round(9)) for column in white.T])


def draw_subset(
    percentiles: NDArray[np.float64],
    labels: NDArray[np.int64],
    size: int,
    *,
    number: int,
    seed: int,
    mixing: Mixing | None = None,
) -> NDArray[np.int64]:
    """Return the rows (size,), in order, of subset `number`: samples drawn by a mix of its own.

    `percentiles` (n, m) of m indicators are 0 to 100, `decorrelated`. For each indicator the shares
    of its bins are drawn from a symmetric Dirichlet distribution, independently; a sample's chance
    is the product of the shares of its bins, and samples are drawn without replacement (Efraimidis
    and Spirakis 2006). Each group of `labels` (n,) gives as many as its share of all: quality
    varies, the mix of kinds does not. A subset depends on its number and the seed, not on how many
    there are.
    """
    mixing = mixing or Mixing()
    rng = np.random.default_rng([seed, number])
    shares = rng.dirichlet([mixing.concentration] * mixing.bins, size=percentiles.shape[1])
    places = np.minimum((percentiles * (mixing.bins / 100)).astype(np.int64), mixing.bins - 1)
    chances = np.log(shares[np.arange(len(shares)), places] + 1e-12).sum(axis=1)
    keys = chances + rng.gumbel(size=len(chances))
    _, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    quotas = share_quotas(counts.astype(np.float64), counts, size)
    order = np.lexsort((np.arange(len(keys)), -keys, own))
    first = np.cumsum(counts) - counts
    taken = [order[start : start + quota] for start, quota in zip(first, quotas, strict=True)]
    return np.sort(np.concatenate(taken))


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Subsets by their mean percentiles `means` (s, m) of the m indicators in `names`.

    `spread` (m,) is their deviation, `correlation` (m, m) says which move together, and
    `inflation` (m,) how much larger the variance of an effect is for that (inf: it cannot be told).
    """

    names: tuple[str, ...]
    means: NDArray[np.float64]
    spread: NDArray[np.float64]
    correlation: NDArray[np.float64]
    inflation: NDArray[np.float64]

    @property
    def condition(self) -> float:
        """The condition number of the standardised means: 1 is best, above 30 is bad."""
        found = np.linalg.svd(standardised(self.means), compute_uv=False)
        return float(found[0] / found[-1]) if found[-1] > 1e-9 * found[0] else math.inf

    def notices(self) -> Iterator[str]:
        """Yield what the user should know before anything is trained."""
        count, wanted = len(self.means), PER_INDICATOR * len(self.names)
        if count < wanted:
            yield (
                f"{count:,} subsets for {len(self.names)} indicators are few: {wanted:,} are "
                f"advised (--subsets {wanted})"
            )
        for name, spread in zip(self.names, self.spread.tolist(), strict=True):
            if spread < FLAT:
                yield (
                    f"the mean percentile of {name} hardly varies between the subsets (its "
                    f"deviation is {spread:.1f} points): make them smaller, or leave {name} out"
                )
        together = list(self.alike())
        for first, second, r in together:
            yield (
                f"{first} and {second} cannot be told apart: subsets that have much of one have "
                f"{'much' if r > 0 else 'little'} of the other (correlation {r:.2f}); leave one of "
                "them out (--indicators)"
            )
        named = {name for first, second, _ in together for name in (first, second)}
        for name, inflation in zip(self.names, self.inflation.tolist(), strict=True):
            if inflation > INFLATED and name not in named:
                yield (
                    f"{name} can hardly be told from the other indicators together (variance "
                    f"inflation {_told(inflation)}): leave it out, or draw more subsets"
                )

    def alike(self) -> Iterator[tuple[str, str, float]]:
        """Yield the pairs of indicators that cannot be told apart, with their correlation."""
        for second in range(len(self.names)):
            for first in range(second):
                r = float(self.correlation[first, second])
                if abs(r) > ALIKE:
                    yield self.names[first], self.names[second], r

    def to_dict(self) -> dict[str, Any]:
        """Return the design, JSON-able; what is infinite is None."""
        return {
            "subsets": len(self.means),
            "condition": _finite(self.condition),
            "indicators": {
                name: {
                    "lowest": float(self.means[:, n].min()),
                    "highest": float(self.means[:, n].max()),
                    "spread": float(self.spread[n]),
                    "inflation": _finite(float(self.inflation[n])),
                }
                for n, name in enumerate(self.names)
            },
            "alike": [list(pair) for pair in self.alike()],
        }


def make_design(names: Sequence[str], means: NDArray[np.float64]) -> Design:
    """Return the design of subsets with these mean percentiles (s, m)."""
    z = standardised(means)
    correlation = z.T @ z / len(z)
    return Design(tuple(names), means, means.std(axis=0), correlation, _inflation(z))


def _inflation(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 - R^2) of each standardised column (m,) by the others."""
    found = np.ones(z.shape[1])
    for n in range(z.shape[1]):
        others = np.delete(z, n, axis=1)
        total = float(np.square(z[:, n]).sum())
        if total == 0 or not others.shape[1]:
            continue
        fitted = others @ np.linalg.lstsq(others, z[:, n], rcond=None)[0]
        rest = float(np.square(z[:, n] - fitted).sum())
        found[n] = total / rest if rest > 1e-12 * total else math.inf
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _told(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else "without end"
