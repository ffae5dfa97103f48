"""The view of a data set that selectors, groupers and pool scorers decide on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from ig4.core.contracts.needs import Needs
from ig4.core.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ig4.core.records import JSON, Sample

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Groups:
    """Which groups the rows of a pool belong to.

    `names` are the g groups. `labels` (n,) int64 has the group of each row, by its place in
    `names`. Where a row may have several, `members` has them: `members[1][s:e]` are those of row i
    for `s, e = members[0][i:i + 2]` (two int64 arrays of n + 1 and of as many entries as there are
    memberships, as a sparse matrix has them), and `labels` the first of each, -1 where a row has
    none.
    """

    names: tuple[str, ...]
    labels: NDArray[np.int64]
    members: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many rows each group has, (g,) int64."""
        belonging = self.labels if self.members is None else self.members[1]
        return np.bincount(belonging[belonging >= 0], minlength=len(self.names))

    def take(self, rows: NDArray[np.int64]) -> Groups:
        """Return the groups of some rows, with all names."""
        if self.members is None:
            return Groups(self.names, self.labels[rows])
        starts, ids = self.members
        parts = [ids[starts[row] : starts[row + 1]] for row in rows.tolist()]
        sizes = np.array([0, *map(len, parts)], dtype=np.int64)
        joined = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        return Groups(self.names, self.labels[rows], (np.cumsum(sizes), joined))


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The k nearest other rows of each row, by cosine, nearest first.

    `indices` (n, k) int64 and `similarity` (n, k) float32; no row is its own neighbour. Equal
    similarities stand in the order of the rows. A pool of fewer rows has k = n - 1.
    """

    indices: NDArray[np.int64]
    similarity: NDArray[np.float32]


class PoolData(Protocol):
    """Where a pool's values come from: a store, or arrays in memory.

    Arrays have a row for each of the `n` samples of the pool, in data-set order.
    """

    @property
    def n(self) -> int:
        """How many samples the pool has."""

    @property
    def contents(self) -> NDArray[np.int64]:
        """A number (n,) for each row; rows with equal texts and images have the same."""

    @property
    def scorers(self) -> tuple[str, ...]:
        """The m scorers that count."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weight (m,) of each scorer that counts."""

    @property
    def final(self) -> NDArray[np.float64]:
        """The final score F(x), (n,)."""

    def raw(self, scorer: str) -> NDArray[np.float64] | None:
        """Return a scorer's values (n,) in its own unit, NaN where there is none; or None."""

    def percent(self, scorer: str) -> NDArray[np.float64]:
        """Return a scorer's values (n,) on a 0-100 scale, NaN where there is none.

        Of one that counts, the scale that was asked for; of any other its own.
        """

    def vectors(self, space: str) -> NDArray[np.float32] | None:
        """Return the vectors (n, d) of a space, as its embedder gave them; or None.

        A row without one has zeros.
        """

    def has_space(self, space: str) -> bool:
        """Tell whether `vectors` returns any, without reading them."""

    def neighbours(self, space: str, k: int) -> Neighbours:
        """Return the k nearest neighbours of each row in a space."""

    def groups(self, name: str) -> Groups:
        """Return a grouping."""

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The cluster (n,) of each row; -1 is noise."""

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples themselves, read from the store as they are asked for."""

    @property
    def meta(self) -> Sequence[Mapping[str, JSON]]:
        """What the data set tells of each sample: source, task, folder, image size, turns."""


class Pool:
    """A lazy, read-only view of `n` samples, of which `size` are wanted.

    It shows what its reader has declared, and computes that when it is first asked for. Rows are
    in data-set order. Arrays must not be changed.
    """

    def __init__(
        self, data: PoolData, *, size: int, seed: int, needs: Needs, reader: str = "a component"
    ) -> None:
        self.size = size
        """How many samples are wanted (for a selector; else n)."""
        self.seed = seed
        """Where random numbers come from: `np.random.default_rng(pool.seed)`."""
        self.needs = needs
        self._data = data
        self._reader = reader
        self._made: dict[tuple[str, ...], object] = {}
        self.told: list[str] = []
        """What the reader had to say of its choice; see `tell`."""

    @property
    def n(self) -> int:
        """How many samples there are."""
        return self._data.n

    @property
    def contents(self) -> NDArray[np.int64]:
        """A number (n,) int64 for each row; rows with equal texts and images have the same."""
        return self._once(("contents",), lambda: _frozen(self._data.contents))

    def tell(self, text: str) -> None:
        """Say something that the user should know of the choice, in a sentence; it stops nothing.

        It is shown once, stored with the selection, and is not part of the result.
        """
        if text not in self.told:
            self.told.append(text)

    @property
    def sums_scores(self) -> bool:
        """Whether the final score has been read."""
        return ("final",) in self._made

    @property
    def scorers(self) -> tuple[str, ...]:
        """The m scorers that count."""
        self._require(self.needs.scores, "scores=True")
        return self._data.scorers

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weight (m,) float64 of each scorer that counts."""
        self._require(self.needs.scores, "scores=True")
        return self._once(("weights",), lambda: _frozen(self._data.weights))

    @property
    def final(self) -> NDArray[np.float64]:
        """The final score F(x), (n,) float64."""
        self._require(self.needs.scores, "scores=True")
        return self._once(("final",), lambda: _frozen(self._data.final))

    @property
    def percents(self) -> NDArray[np.float64]:
        """All counting scores on the 0-100 scale, (n, m) float64, a column for each scorer."""
        self._require(self.needs.scores, "scores=True")
        return self._once(
            ("percents",),
            lambda: _frozen(
                np.column_stack([self.percent(name) for name in self.scorers])
                if self.scorers
                else np.empty((self.n, 0))
            ),
        )

    def percent(self, scorer: str) -> NDArray[np.float64]:
        """Return a score on a 0-100 scale, (n,) float64.

        Those that count, and those declared as `columns`, have no gaps; optional ones may.
        """
        declared = scorer in (*self.needs.columns, *self.needs.optional_columns)
        self._require(
            declared or (self.needs.scores and scorer in self._data.scorers),
            f"columns=({scorer!r},)",
        )
        return self._once(("percent", scorer), lambda: _frozen(self._data.percent(scorer)))

    def raw(self, scorer: str) -> NDArray[np.float64]:
        """Return a score in the scorer's own unit, (n,) float64, NaN where there is none.

        Raises:
            PluginError: it was not declared, or is optional and not there (see `has_column`).
        """
        declared = scorer in (*self.needs.columns, *self.needs.optional_columns)
        self._require(
            declared or (self.needs.scores and scorer in self._data.scorers),
            f"columns=({scorer!r},)",
        )
        values = self._once(("raw", scorer), lambda: self._data.raw(scorer))
        if values is None:
            raise PluginError(f"{self._reader} reads the scores {scorer}, which are not there")
        return _frozen(values)

    def has_column(self, scorer: str) -> bool:
        """Tell whether scores that were declared as optional are there."""
        if scorer in self.needs.columns:
            return True
        self._require(scorer in self.needs.optional_columns, f"optional_columns=({scorer!r},)")
        return self._once(("raw", scorer), lambda: self._data.raw(scorer)) is not None

    def vectors(self, space: str) -> NDArray[np.float32]:
        """Return the vectors of a space, (n, d) float32, as its embedder gave them.

        They may be memory-mapped, and need not be of length 1; see `unit_vectors`. In an optional
        space a row without a vector has zeros; see `has_vector`.

        Raises:
            PluginError: it was not declared, or is optional and not there (see `has_space`).
        """
        self._require(
            space in (*self.needs.all_spaces, *self.needs.optional_spaces), f"spaces=({space!r},)"
        )
        found = self._once(("vectors", space), lambda: self._data.vectors(space))
        if found is None:
            raise PluginError(f"{self._reader} reads the space {space}, which is not there")
        return _frozen(found)

    def unit_vectors(self, space: str) -> NDArray[np.float32]:
        """Return the vectors of a space divided by their lengths; a vector of zeros stays so."""
        return self._once(("unit", space), lambda: _frozen(normalised(self.vectors(space))))

    def has_space(self, space: str) -> bool:
        """Tell whether a space that was declared as optional is there."""
        if space in self.needs.all_spaces:
            return True
        self._require(space in self.needs.optional_spaces, f"optional_spaces=({space!r},)")
        return self._once(("has", space), lambda: self._data.has_space(space))

    def has_vector(self, space: str) -> NDArray[np.bool_]:
        """Return which rows (n,) have a vector in a space, and one that is not all zeros."""
        return self._once(
            ("known", space),
            lambda: _frozen(np.logical_or.reduce(self.vectors(space) != 0, axis=1)),
        )

    def neighbours(self, space: str, k: int) -> Neighbours:
        """Return the k nearest other rows of each row in a space, by cosine.

        In a pool of fewer than k + 1 rows all others are neighbours.
        """
        most = max((many for name, many in self.needs.neighbours if name == space), default=0)
        self._require(0 < k <= most, f"neighbours=(({space!r}, {k}),)")
        found = self._once(
            ("neighbours", space), lambda: self._data.neighbours(space, min(most, self.n - 1))
        )
        return Neighbours(_frozen(found.indices[:, :k]), _frozen(found.similarity[:, :k]))

    def groups(self, name: str) -> Groups:
        """Return a grouping by its name."""
        self._require(name in self.needs.groups, f"groups=({name!r},)")
        return self._once(("groups", name), lambda: self._data.groups(name))

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The cluster (n,) int64 of each row, in the clustering that the user chose; -1 is noise.

        All zeros where the user wants no clusters.
        """
        self._require(self.needs.clusters, "clusters=True")
        return self._once(("clusters",), lambda: _frozen(self._data.clusters))

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples, (n,); read from the store as they are asked for."""
        self._require(self.needs.samples, "samples=True")
        return self._data.samples

    @property
    def meta(self) -> Sequence[Mapping[str, JSON]]:
        """What the data set tells of each sample: source, task, folder, image size, turns."""
        self._require(self.needs.meta, "meta=True")
        return self._data.meta

    def rng(self, *purpose: int) -> np.random.Generator:
        """Return a generator of random numbers that depends on the seed and the purpose alone."""
        return np.random.default_rng([self.seed, *purpose] if purpose else self.seed)

    def _require(self, declared: bool, how: str) -> None:
        if not declared:
            raise PluginError(
                f"{self._reader} reads what its needs() does not declare: return Needs({how}, …)"
            )

    def _once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        if key not in self._made:
            self._made[key] = make()
        found: T = self._made[key]  # type: ignore[assignment] # of what `make` returned
        return found


def normalised(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (n, d) float32 divided by their lengths; a vector of zeros stays so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def _frozen(array: NDArray[T]) -> NDArray[T]:  # type: ignore[type-var] # of any dtype
    view = array.view()
    view.flags.writeable = False
    return view
