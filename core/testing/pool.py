"""Makes pools in memory, for the tests of selectors, groupers and pool scorers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts.needs import Needs
from ig4.core.contracts.pool import Groups, Neighbours, Pool, normalised
from ig4.core.statistics.neighbours import exact_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.records import JSON, Sample


@dataclass
class ArrayPoolData:
    """The values of a pool as arrays in memory; see `PoolData`."""

    n: int
    percent_by_scorer: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    raw_by_scorer: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    weight_by_scorer: Mapping[str, float] = field(default_factory=dict)
    spaces: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    groupings: Mapping[str, Groups] = field(default_factory=dict)
    labels: NDArray[np.int64] | None = None
    samples: Sequence[Sample] = ()
    meta: Sequence[Mapping[str, JSON]] = ()
    content_numbers: NDArray[np.int64] | None = None

    @property
    def contents(self) -> NDArray[np.int64]:
        """The numbers given, else a different one for each row."""
        return np.arange(self.n) if self.content_numbers is None else self.content_numbers

    @property
    def scorers(self) -> tuple[str, ...]:
        """The scorers that have percents."""
        return tuple(self.percent_by_scorer)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights given, else equal ones."""
        equal = 1.0 / max(1, len(self.scorers))
        return np.array([self.weight_by_scorer.get(name, equal) for name in self.scorers])

    @property
    def final(self) -> NDArray[np.float64]:
        """F(x), the columns added one after the other."""
        total = np.zeros(self.n)
        for name, weight in zip(self.scorers, self.weights, strict=True):
            total += self.percent_by_scorer[name] * weight
        return total

    def raw(self, scorer: str) -> NDArray[np.float64] | None:
        """Return raw values, else percents."""
        return self.raw_by_scorer.get(scorer, self.percent_by_scorer.get(scorer))

    def percent(self, scorer: str) -> NDArray[np.float64]:
        """Return percents; of a column without such, 100 x its raw values."""
        if scorer in self.percent_by_scorer:
            return self.percent_by_scorer[scorer]
        return self.raw_by_scorer[scorer] * 100

    def vectors(self, space: str) -> NDArray[np.float32] | None:
        """Return vectors."""
        return self.spaces.get(space)

    def has_space(self, space: str) -> bool:
        """Tell whether there are vectors of a space."""
        return self.vectors(space) is not None

    def neighbours(self, space: str, k: int) -> Neighbours:
        """Return exact neighbours."""
        return exact_neighbours(normalised(self.spaces[space]), k)

    def groups(self, name: str) -> Groups:
        """Return a grouping."""
        return self.groupings[name]

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The labels given, else one cluster."""
        return np.zeros(self.n, dtype=np.int64) if self.labels is None else self.labels

    def take(self, rows: NDArray[np.int64]) -> ArrayPoolData:
        """Return some of the rows, in any order."""
        return ArrayPoolData(
            len(rows),
            {name: values[rows] for name, values in self.percent_by_scorer.items()},
            {name: values[rows] for name, values in self.raw_by_scorer.items()},
            self.weight_by_scorer,
            {name: vectors[rows] for name, vectors in self.spaces.items()},
            {name: groups.take(rows) for name, groups in self.groupings.items()},
            None if self.labels is None else self.labels[rows],
            [self.samples[row] for row in rows.tolist()] if self.samples else (),
            [self.meta[row] for row in rows.tolist()] if self.meta else (),
            self.contents[rows],
        )


def make_pool_data(n: int = 50, needs: Needs | None = None, *, seed: int = 0) -> ArrayPoolData:
    """Return random values for all that `needs` declares, and for scorers a, b and c.

    Texts and images are those of `make_samples`. Groups are four of very different size; vectors
    (n, 8) lie around five centres.
    """
    from ig4.core.testing.samples import make_samples

    needs = needs or Needs()
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(3))
    columns = (*needs.columns, *needs.optional_columns)
    spaces = (*needs.all_spaces, *needs.optional_spaces)
    centres = rng.normal(scale=2.0, size=(5, 8))
    data = ArrayPoolData(
        n,
        {name: rng.uniform(0, 100, n) for name in ("a", "b", "c")},
        {name: rng.uniform(0, 1, n) for name in columns},
        dict(zip(("a", "b", "c"), weights.tolist(), strict=True)),
        {name: _around(centres, n, rng) for name in spaces},
        {name: _groups(n, rng) for name in needs.groups},
        rng.integers(0, 4, n),
    )
    if needs.samples:
        data.samples = make_samples(n, seed)
    if needs.meta:
        sources = ("vqa", "captions", "charts")
        data.meta = [{"source": sources[i], "turns": 1} for i in rng.integers(0, 3, n).tolist()]
    return data


def _around(centres: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    own = centres[rng.integers(0, len(centres), n)]
    return (own + rng.normal(size=own.shape)).astype(np.float32)


def _groups(n: int, rng: np.random.Generator) -> Groups:
    labels = rng.choice(4, size=n, p=(0.6, 0.25, 0.1, 0.05))
    return Groups(("what", "how many", "yes/no", "describe"), labels.astype(np.int64))


def make_pool(data: ArrayPoolData, needs: Needs, *, size: int | None = None, seed: int = 0) -> Pool:
    """Return a pool that shows what `needs` declares of `data`."""
    return Pool(data, size=data.n if size is None else size, seed=seed, needs=needs)
