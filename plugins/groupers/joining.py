"""Joins groups that are too small with wider ones, and gives all of them names."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ig4.core.contracts import Groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

Chain = tuple[str, ...]
"""Names of groups that a sample may be in, from the finest to the coarsest."""


def rest_name(min_size: int, what: str = "groups") -> str:
    """Return what the group of all that is left over is called."""
    return f"rest ({what} under {min_size})"


def joined(counts: Mapping[Chain, int], min_size: int) -> dict[Chain, str]:
    """Return the group of each chain, of so many samples each.

    What is in a group of fewer than `min_size` goes on to the next name of its chain, and from the
    last one to the rest. Other names are as they are; one that several finer names came to is
    called "others" where finer groups of it stay.
    """
    at = dict.fromkeys(counts, 0)
    for _ in range(max(map(len, counts), default=0)):
        sizes: dict[str, int] = {}
        for chain, count in counts.items():
            name = _name(chain, at[chain])
            if name is not None:
                sizes[name] = sizes.get(name, 0) + count
        small = [
            chain
            for chain, place in at.items()
            if (name := _name(chain, place)) is not None and sizes[name] < min_size
        ]
        if not small:
            break
        for chain in small:
            at[chain] += 1
    rest = rest_name(min_size)
    final = {chain: _name(chain, place) or rest for chain, place in at.items()}
    split = _with_finer(at, final)
    return {chain: f"{name}, others" if name in split else name for chain, name in final.items()}


def _name(chain: Chain, place: int) -> str | None:
    return chain[place] if place < len(chain) else None


def _with_finer(at: Mapping[Chain, int], final: Mapping[Chain, str]) -> set[str]:
    """Return the names of groups that have a finer one beside them."""
    names = set(final.values())
    return {name for chain, place in at.items() for name in chain[place + 1 :] if name in names}


def by_size(names: Sequence[str], labels: NDArray[np.int64]) -> Groups:
    """Return groups ordered by size, equal ones by name, without those that are empty."""
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda n: (-counts[n], names[n]))
    place = np.full(len(names) + 1, -1, dtype=np.int64)  # the last one is for -1
    place[order] = np.arange(len(order))
    return Groups(tuple(names[n] for n in order), place[labels])


def grouped(keys: Iterable[Sequence[str]], min_size: int, none: str) -> Groups:
    """Return groups by the keys of each sample, of which there may be none or several.

    Keys of fewer than `min_size` samples are one group together, called the rest; samples without
    a key are one called `none`. A key that is called like one of these gets a mark.
    """
    place: dict[str, int] = {}
    flat, sizes = array("q"), array("q", [0])
    for row in keys:
        flat.extend([place.setdefault(key, len(place)) for key in row] or [-1])
        sizes.append(len(flat))
    ids, starts = np.array(flat, dtype=np.int64), np.array(sizes, dtype=np.int64)
    counts = np.bincount(ids[ids >= 0], minlength=len(place))
    rest = rest_name(min_size)
    own = [f"{key} (as it is called)" if key in (rest, none) else key for key in place]
    names = [*own, rest, none]
    of_key = np.arange(len(place) + 1)
    of_key[:-1][counts < min_size] = len(place)
    of_key[-1] = len(place) + 1  # -1 is the last
    named = of_key[ids]
    if len(ids) == len(starts) - 1:
        return by_size(names, named)
    return _several(names, starts, named)


def _several(names: Sequence[str], starts: NDArray[np.int64], ids: NDArray[np.int64]) -> Groups:
    """Return groups of which samples have several, each once."""
    groups = by_size(names, ids)
    rows = [
        list(dict.fromkeys(groups.labels[s:e].tolist()))
        for s, e in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    ]
    sizes = np.array([0, *map(len, rows)], dtype=np.int64)
    flat = np.array([label for row in rows for label in row], dtype=np.int64)
    first = np.array([row[0] for row in rows], dtype=np.int64)
    return Groups(groups.names, first, (np.cumsum(sizes), flat))
