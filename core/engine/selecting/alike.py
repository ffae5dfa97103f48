"""Which samples of a pool are alike in every one of several spaces, of which the first stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ig4.core.errors import UsageError
from ig4.core.statistics.hamming import are_hashes, near_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Pool

Rows: TypeAlias = "NDArray[np.int64]"
Others: TypeAlias = "Callable[[int, Rows], NDArray[np.bool_]]"
"""Which of some rows (r,) agree with a row in something that a pool does not show."""

NEAREST = 20
"""Neighbours that are looked at; of a row with more that are alike, all rows are."""

BITS = 6
"""Bits in which two hashes of one picture may differ, where the user names no number."""


_PAIRS = 1 << 16  # pairs that are compared at a time


@dataclass(frozen=True, slots=True)
class Line:
    """When two vectors are alike: hashes by the bits that differ, others by their cosine."""

    alike: float = 0.95
    bits: int = BITS

    def of(self, hashes: int | None) -> float:
        """Return the dot product above which vectors are alike: hashes of this width, or units."""
        return self.alike if hashes is None else hashes - 2 * self.bits - 0.5


@dataclass(frozen=True, slots=True)
class ComparedSpace:
    """A space of a pool: its hashes (n, d) of `width` bits, or its unit vectors."""

    name: str
    vectors: NDArray[np.float32]
    line: float
    width: int | None

    @classmethod
    def of_pool(
        cls, pool: Pool, name: str, line: Line, among: NDArray[np.bool_] | None = None
    ) -> ComparedSpace:
        """Return a space of a pool, with the line that the vectors of rows `among` ask for."""
        vectors = pool.vectors(name)
        known = vectors if among is None or among.all() else vectors[among]
        width = vectors.shape[1] if are_hashes(known) else None
        unit = vectors if width is not None else pool.unit_vectors(name)
        return cls(name, unit, line.of(width), width)

    def agree(self, row: int, others: Rows) -> NDArray[np.bool_]:
        """Return which of `others` (r,) are alike to a row."""
        found: NDArray[np.bool_] = self.vectors[others] @ self.vectors[row] > self.line
        return found

    def agreeing(self, pairs: Rows) -> NDArray[np.bool_]:
        """Return which pairs (p, 2) of rows are alike."""
        found = np.zeros(len(pairs), dtype=bool)
        for start in range(0, len(pairs), _PAIRS):
            part = pairs[start : start + _PAIRS]
            near = np.einsum("pd,pd->p", self.vectors[part[:, 0]], self.vectors[part[:, 1]])
            found[start : start + _PAIRS] = near > self.line
        return found

    def told(self, row: int, other: int) -> str:
        """Return the space's name; of hashes also how many bits differ."""
        if self.width is None:
            return self.name
        differing = round((self.width - float(self.vectors[row] @ self.vectors[other])) / 2)
        return f"{self.name} ({differing} of {self.width} bits differ)"


def alike_rows(
    pool: Pool,
    spaces: Sequence[str],
    line: Line,
    *,
    wants_hashes: bool = False,
    others_agree: Others | None = None,
    among: NDArray[np.bool_] | None = None,
    order: Rows | None = None,
) -> dict[int, tuple[int, str]]:
    """Return the rows that are alike to an earlier one that stays: which, and in what.

    Every row is compared with all others, but what the index of neighbours misses, if it may. Only
    rows `among` (n,) are compared, by default all; they come in an `order` (n,), by default their
    own.

    Raises:
        UsageError: `wants_hashes`, and none of the spaces holds any.
    """
    compared = [ComparedSpace.of_pool(pool, name, line, among) for name in spaces]
    hashes = next((one for one in compared if one.width is not None), None)
    if hashes is None and wants_hashes:
        raise UsageError(
            f"a stage that drops duplicates counts bits, but the vectors of {', '.join(spaces)} "
            "are no hashes: name the space phash (`ig4 score --spaces phash`), or leave bits out"
        )
    first = hashes or compared[0]
    rest = [one for one in compared if one is not first]
    candidates = _by_hashes(first, line.bits) if hashes else _by_neighbours(pool, first, rest)
    place = np.arange(pool.n) if order is None else np.argsort(order)
    out = np.zeros(pool.n, dtype=bool) if among is None else ~among
    found: dict[int, tuple[int, str]] = {}
    for row in candidates.rows[np.argsort(place[candidates.rows])].tolist():
        if out[row]:
            continue
        others = candidates.of(row)
        others = others[(place[others] > place[row]) & ~out[others]]
        for space in rest:
            others = others[space.agree(row, others)]
        if others_agree is not None and len(others):
            others = others[others_agree(row, others)]
        out[others] = True
        for other in others.tolist():
            told = ", ".join(space.told(row, other) for space in compared)
            found[other] = (row, told)
    return found


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Rows that may be alike to another one, ascending, and for each of them which, ascending."""

    rows: Rows
    of: Callable[[int], Rows]


def _by_hashes(space: ComparedSpace, bits: int) -> _Candidates:
    """Return what is alike by hashes; equal ones are looked at once."""
    packed = np.packbits(space.vectors > 0, axis=1)
    _, first, group, counts = np.unique(
        packed, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    group = group.reshape(-1)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(counts)[:-1])
    near: dict[int, list[int]] = {}
    lower, higher, _ = near_hashes(space.vectors[first], bits)
    for one, two in zip(lower.tolist(), higher.tolist(), strict=True):
        near.setdefault(one, [one]).append(two)
        near.setdefault(two, [two]).append(one)
    several = counts > 1
    several[list(near)] = True

    def of(row: int) -> Rows:
        own = int(group[row])
        return np.sort(np.concatenate([members[one] for one in near.get(own, [own])]))

    return _Candidates(np.flatnonzero(several[group]), of)


def _by_neighbours(pool: Pool, space: ComparedSpace, rest: Sequence[ComparedSpace]) -> _Candidates:
    """Return what is alike by a cosine: of the nearest, or of all where these are all alike.

    Of the nearest only those that are alike in the `rest` of the spaces, too.
    """
    nearest = pool.neighbours(space.name, NEAREST)
    close = nearest.similarity > space.line
    full = close.all(axis=1) & (close.shape[1] < pool.n - 1)
    rows, columns = np.nonzero(close)
    pairs = np.stack([rows, nearest.indices[rows, columns]], axis=1)
    for other in rest:
        pairs = pairs[other.agreeing(pairs)]
    pairs = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)  # an index may miss one way
    starts = np.searchsorted(pairs[:, 0], np.arange(pool.n + 1))
    scanned: dict[bytes, Rows] = {}

    def of(row: int) -> Rows:
        if not full[row]:
            return pairs[starts[row] : starts[row + 1], 1]
        key = space.vectors[row].tobytes()
        if key not in scanned:
            scanned[key] = np.flatnonzero(space.vectors @ space.vectors[row] > space.line)
        return scanned[key]

    return _Candidates(np.union1d(pairs[:, 0], np.flatnonzero(full)), of)
