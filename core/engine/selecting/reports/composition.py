"""What a selection is made of, beside what its pool is made of: groups, and their levels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.statistics.shares import expected_variation, total_variation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ig4.core.contracts import Groups

MOST_VARIATION = 0.10
"""The total variation distance above which a selection is said to leave the mix of its pool."""

EXPECTED = 5.0
"""A group of which so many are expected is missed when the selection has none of it."""

STANDS_OUT = 1.0
"""By how many standard deviations of all samples a group's mean is told to differ from theirs."""

_LEAST = 20  # members of a group whose level is told


@dataclass(frozen=True, slots=True)
class GroupShare:
    """A group: how many samples of the data set (`pool`) and of the selection it has.

    Their shares are 0 to 1. `candidates` of it have all that is needed to be selected.
    """

    name: str
    pool: int
    selected: int
    pool_share: float
    selected_share: float
    candidates: int


@dataclass(frozen=True, slots=True)
class GroupLevel:
    """A group whose mean of an indicator stands apart from the pool's, in its standard deviations.

    `mean` and `pool_mean` are on the 0-100 scale of the selection.
    """

    group: str
    scorer: str
    mean: float
    pool_mean: float
    deviations: float


@dataclass(frozen=True, slots=True)
class Composition:
    """The mix of a selection: `tv` is its total variation distance from that of the pool (0 to 1).

    `random_tv` is about what a uniform draw of the same size has. `missing` are groups of which at
    least five were to be expected and none was selected.
    """

    by: str
    groups: tuple[GroupShare, ...]
    tv: float
    random_tv: float
    missing: tuple[str, ...]

    @property
    def leaves_mix(self) -> bool:
        """Whether the selection has another mix than the pool, to be warned of."""
        return self.tv > MOST_VARIATION or bool(self.missing)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, JSON-able."""
        return asdict(self)


def composition(
    by: str,
    groups: Groups,
    rows: NDArray[np.int64],
    *,
    candidates: NDArray[np.int64] | None = None,
) -> Composition:
    """Return the mix of `rows` of a data set whose groups are given; `by` is their grouper's name.

    `candidates` are the rows that could have been selected, by default all.
    """
    pool = groups.counts
    able = pool if candidates is None else groups.take(np.sort(candidates)).counts
    selected = groups.take(np.sort(rows)).counts
    expected = pool * (len(rows) / max(1, len(groups.labels)))
    missed = [
        groups.names[n] for n in np.flatnonzero((expected >= EXPECTED) & (selected == 0)).tolist()
    ]
    order = np.lexsort((np.arange(len(pool)), -pool))
    shares = [
        GroupShare(
            groups.names[n],
            int(pool[n]),
            int(selected[n]),
            float(pool[n] / max(1, pool.sum())),
            float(selected[n] / max(1, selected.sum())),
            int(able[n]),
        )
        for n in order.tolist()
        if pool[n]
    ]
    return Composition(
        by,
        tuple(shares),
        total_variation(pool, selected),
        expected_variation(pool, len(rows)),
        tuple(missed),
    )


def group_levels(
    names: Sequence[str], percent: NDArray[np.float64], groups: Groups
) -> tuple[GroupLevel, ...]:
    """Return the groups of at least 20 whose mean of an indicator stands apart, the worst first.

    `percent` (n, m) has a column for each of the m `names`, NaN where there is none. Percentiles
    within groups cannot see that a whole group is bad; this can.
    """
    found = []
    for n, name in enumerate(names):
        seen = ~np.isnan(percent[:, n])
        values, labels = percent[seen, n], groups.labels[seen]
        known = labels >= 0
        counts = np.bincount(labels[known], minlength=len(groups.names))
        if np.count_nonzero(counts) < 2 or (spread := float(values.std())) <= 1e-9:
            continue
        sums = np.bincount(labels[known], weights=values[known], minlength=len(groups.names))
        means = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
        apart = (means - values.mean()) / spread
        found += [
            GroupLevel(
                groups.names[group],
                name,
                float(means[group]),
                float(values.mean()),
                float(apart[group]),
            )
            for group in np.flatnonzero((counts >= _LEAST) & (np.abs(apart) >= STANDS_OUT)).tolist()
        ]
    return tuple(sorted(found, key=lambda level: (level.deviations, level.group, level.scorer)))


BROKEN = ("ending", "ending-in-pool", "repetition", "odd-characters")
"""Columns that know what is broken: on a clean data set nearly all samples have 100 percent."""

LOWER = 20.0
"""The points by which the mean percent of such a column must be below that of all to be told."""


def broken_levels(
    name: str, percent: NDArray[np.float64], groups: Groups
) -> tuple[GroupLevel, ...]:
    """Return the groups of at least 20 that have far less of one of BROKEN than all samples.

    `percent` (n,) may be NaN. Its deviation says little here: where a kind that is half of the data
    is broken, it is no deviation apart, and where one in a thousand is, any group of three is.
    """
    seen = ~np.isnan(percent)
    if not seen.any():
        return ()
    known, many = seen & (groups.labels >= 0), len(groups.names)
    counts = np.bincount(groups.labels[known], minlength=many)
    sums = np.bincount(groups.labels[known], weights=percent[known], minlength=many)
    means = np.divide(sums, counts, out=np.zeros(many), where=counts > 0)
    mean, spread = float(percent[seen].mean()), float(percent[seen].std())
    return tuple(
        GroupLevel(
            groups.names[group], name, float(means[group]), mean,
            float((means[group] - mean) / spread),
        )
        for group in np.flatnonzero((counts >= _LEAST) & (means <= mean - LOWER)).tolist()
    )  # fmt: skip
