"""Pools for the tests of selectors that go by scores and labels."""

import numpy as np

from ig4.core.contracts import Groups
from ig4.core.host.host import Host
from ig4.core.records import Choice
from ig4.core.testing import ArrayPoolData, make_pool

HOST = Host.discover()


def selector(name, **options):
    return HOST.build(Choice("selector", f"ig4/{name}", options))


def several(labels, names):
    """Groups of rows that have any number of labels each."""
    starts = np.cumsum([0, *map(len, labels)])
    ids = np.array([label for own in labels for label in own], dtype=np.int64)
    first = np.array([own[0] if own else -1 for own in labels], dtype=np.int64)
    return Groups(tuple(names), first, (starts.astype(np.int64), ids))


def pool_of(made, *, n, size, seed=0, scores=None, raw=None, groups=None):
    """A pool of `n` rows with final scores, columns and one grouping."""
    data = ArrayPoolData(
        n,
        {"s": np.asarray(scores, dtype=float)} if scores is not None else {},
        {name: np.asarray(values, dtype=float) for name, values in (raw or {}).items()},
        {"s": 1.0},
        groupings=groups or {},
    )
    return make_pool(data, made.needs(), size=size, seed=seed)
