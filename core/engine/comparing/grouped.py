"""How two selections spread over groups and clusters, beside the data they were made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.engine.comparing.result import GroupComparison, GroupCount
from ig4.core.engine.pooling.poolgroups import pool_groups
from ig4.core.errors import Ig4Error
from ig4.storage import clusters, selections

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ig4.core.engine.comparing.keys import SideKeys
    from ig4.core.engine.comparing.sides import ComparedSide
    from ig4.core.engine.pooling.settings import PoolSettings
    from ig4.core.engine.session import Session

_AUTO = "auto"
_NO_GROUP = "no group"


@dataclass(frozen=True, slots=True)
class KeyedGroups:
    """A comparison by groups, with the name of the group of each key of the pool (n,)."""

    comparison: GroupComparison
    keys: NDArray[np.int64]
    names: Sequence[str]


def group_comparison(
    session: Session,
    a: ComparedSide,
    b: ComparedSide,
    keys_a: SideKeys,
    keys_b: SideKeys,
    settings: PoolSettings,
) -> KeyedGroups:
    """Count by the grouper that the mix of A was told by, else that of B."""
    by = _grouper(session, a) or _grouper(session, b) or _AUTO
    try:
        labelled = [
            (keys, _group_names(session, side, keys, by, settings))
            for side, keys in ((a, keys_a), (b, keys_b))[: 2 if keys_a.by_content else 1]
        ]
    except Ig4Error as error:
        return _none(by, str(error))
    return _counted(by, labelled, keys_a, keys_b)


def cluster_comparison(
    session: Session, a: ComparedSide, b: ComparedSide, keys_a: SideKeys, keys_b: SideKeys
) -> KeyedGroups:
    """Count by the clusters that A was made by, else those of B."""
    if keys_a.by_content:
        return _none(None, "clusters of two data sets are not the same")
    for side in (a, b):
        number = side.selection.clustering_id
        if number is None:
            continue
        with session.store.reading() as connection:
            row = clusters.find(connection, side.dataset.id, clustering_id=number)
            labels = clusters.labels(connection, number, keys_a.samples)
        name = f"{'clusters' if row is None else row.name} (clustering {number})"
        names = [f"cluster {one}" if one >= 0 else "no cluster" for one in labels.tolist()]
        return _counted(name, [(keys_a, names)], keys_a, keys_b)
    return _none(None, "neither selection was made by clusters that are still there")


def _grouper(session: Session, side: ComparedSide) -> str | None:
    with session.store.reading() as connection:
        _, report = selections.report(connection, side.selection.id)
    mix = report.get("composition")
    return None if mix is None else str(mix["by"])


def _group_names(
    session: Session, side: ComparedSide, keys: SideKeys, by: str, settings: PoolSettings
) -> list[str]:
    """Return the name of the group of each key; of a sample with several, the first one."""
    pool = replace(settings, clustering=side.selection.clustering_id)
    groups = pool_groups(session, side.dataset, pool, by, side.ids, side.contents).groups
    names = (*groups.names, _NO_GROUP)
    order = np.argsort(side.ids, kind="stable")
    place = order[np.searchsorted(side.ids, keys.samples, sorter=order)]
    return [names[label] for label in groups.labels[place].tolist()]


def _counted(
    by: str,
    labelled: Sequence[tuple[SideKeys, Sequence[str]]],
    keys_a: SideKeys,
    keys_b: SideKeys,
) -> KeyedGroups:
    """Count keys by the names of their groups; what both data sets have goes by the first."""
    keys, first = np.unique(np.concatenate([one.all for one, _ in labelled]), return_index=True)
    all_names = [name for _, names in labelled for name in names]
    names = [all_names[place] for place in first.tolist()]
    known = sorted(set(names))
    code = {name: n for n, name in enumerate(known)}
    labels = np.fromiter((code[name] for name in names), dtype=np.int64, count=len(names))
    pool = np.bincount(labels, minlength=len(known))
    both = np.intersect1d(keys_a.chosen, keys_b.chosen, assume_unique=True)
    a, b, common = (
        np.bincount(labels[_found(keys, some)], minlength=len(known))
        for some in (keys_a.chosen, keys_b.chosen, both)
    )
    order = np.lexsort((np.arange(len(known)), -pool))
    counts = tuple(
        GroupCount(known[n], int(pool[n]), int(a[n]), int(b[n]), int(common[n]))
        for n in order.tolist()
    )
    return KeyedGroups(GroupComparison(by, counts), keys, names)


def _found(keys: NDArray[np.int64], some: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of `some` among ascending keys; those that are gone have none."""
    if not len(keys):
        return np.empty(0, dtype=np.int64)
    at: NDArray[np.int64] = np.minimum(np.searchsorted(keys, some), len(keys) - 1)
    found: NDArray[np.int64] = at[keys[at] == some]
    return found


def _none(by: str | None, why: str) -> KeyedGroups:
    return KeyedGroups(GroupComparison(by, (), why), np.empty(0, dtype=np.int64), ())
