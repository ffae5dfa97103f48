"""What a grouping says of a data set: sizes, indicators by group, and what groups explain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.counts import counted
from ig4.core.engine.pooling.groups import GroupSources, groups_of
from ig4.core.engine.selecting.columns import read_matrix
from ig4.core.errors import UsageError
from ig4.core.records import Choice
from ig4.core.statistics.etasquared import eta_squared, group_means
from ig4.core.views.tabular import ResultTable, TabularResult
from ig4.storage import samples, scorecolumns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Groups
    from ig4.core.engine.session import Session
    from ig4.storage.datasets import DatasetRow

TELLS_KINDS = 0.5
"""From this share of its variance on that lies between groups, an indicator tells kinds."""


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """One group: its name, its size, its share of the data set, the mean of each indicator.

    A mean is None where no sample of the group has the indicator.
    """

    name: str
    size: int
    share: float
    means: Mapping[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {
            "name": self.name,
            "size": self.size,
            "share": self.share,
            "means": dict(self.means),
        }


@dataclass(frozen=True, slots=True, repr=False)
class GroupsResult(TabularResult):
    """The groups of a data set, the largest first.

    `without` is how many samples are in none; `eta_squared` by indicator is the share of its
    variance that lies between groups, None where that cannot be said.
    """

    dataset: str
    grouper: str
    samples: int
    groups: Sequence[GroupSummary]
    without: int
    eta_squared: Mapping[str, float | None]

    @property
    def kinds(self) -> list[str]:
        """The indicators that tell the kind of a sample rather than its quality."""
        return [
            name
            for name, value in self.eta_squared.items()
            if value is not None and value > TELLS_KINDS
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return it as a JSON-able dict."""
        return {
            "dataset": self.dataset,
            "grouper": self.grouper,
            "samples": self.samples,
            "groups": [group.to_dict() for group in self.groups],
            "without_group": self.without,
            "eta_squared": dict(self.eta_squared),
        }

    def headline(self) -> str:
        """Return what it is, in a few words."""
        return f"{self.grouper}: {counted(len(self.groups), 'group')} of {self.dataset}"

    def _table(self) -> ResultTable:
        names = list(self.eta_squared)
        rows = [
            (one.name, one.size, one.share, *(one.means.get(name) for name in names))
            for one in self.groups
        ]
        return ResultTable(("group", "samples", "share", *names), rows)


def summarize_groups(
    session: Session,
    dataset: DatasetRow,
    grouper: Choice,
    sources: GroupSources | None = None,
    *,
    scorers: Sequence[str] | None = None,
) -> GroupsResult:
    """Return the groups of a data set with the means of its indicators, and tell what they explain.

    `scorers` names the columns of scores to look at; by default all that there are.

    Raises:
        UsageError: the grouper needs what is missing, the data set is empty, or has no such scores.
        PluginError: the grouper does not return groups.
    """
    with session.store.reading() as connection:
        ids, contents = samples.ordered_ids(connection, dataset.id)
    if not len(ids):
        raise UsageError(f"{dataset.name} has no samples to group")
    found = groups_of(session, dataset, grouper, ids, contents, sources).groups
    values = _indicators(session, dataset, contents, scorers)
    result = GroupsResult(
        dataset.name,
        grouper.label,
        len(ids),
        _summaries(found, values, len(ids)),
        int((found.labels < 0).sum()),
        {name: eta_squared(column, found) for name, column in values.items()},
    )
    if result.kinds:
        session.notice(_told_kinds(result))
    return result


def _indicators(
    session: Session,
    dataset: DatasetRow,
    contents: NDArray[np.int64],
    scorers: Sequence[str] | None,
) -> dict[str, NDArray[np.float64]]:
    with session.store.reading() as connection:
        known = {row.name: row for row in scorecolumns.list_all(connection, dataset.id)}
    wanted = list(known) if scorers is None else list(dict.fromkeys(scorers))
    for name in wanted:
        if name not in known:
            there = ", ".join(known) or "none"
            raise UsageError(f"{dataset.name} has no scores called {name!r} (there are: {there})")
    if not wanted:
        return {}
    matrix = read_matrix(session, [known[name] for name in wanted], contents)
    return {name: matrix.raw[:, n] for n, name in enumerate(wanted)}


def _summaries(
    found: Groups, values: Mapping[str, NDArray[np.float64]], n: int
) -> list[GroupSummary]:
    counts = found.counts.tolist()
    means = {name: group_means(column, found).tolist() for name, column in values.items()}
    order = sorted(range(len(found.names)), key=lambda g: (-counts[g], found.names[g]))
    return [
        GroupSummary(
            found.names[g],
            counts[g],
            counts[g] / n,
            {name: None if np.isnan(column[g]) else column[g] for name, column in means.items()},
        )
        for g in order
    ]


def _told_kinds(result: GroupsResult) -> str:
    shares = ", ".join(f"{name} ({result.eta_squared[name]:.2f})" for name in result.kinds)
    tell = "they tell" if len(result.kinds) > 1 else "it tells"
    return (
        f"most of the variance of {shares} lies between groups: {tell} "
        "what kind a sample is rather than how good it is, and the best of all are of a few kinds. "
        "Compare samples within groups"
    )
