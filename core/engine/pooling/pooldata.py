"""The pool of a stored data set: what a component needs, read or computed when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ig4.core.contracts import Groups, Neighbours
from ig4.core.engine.pooling.neighbours import space_neighbours
from ig4.core.engine.pooling.poolgroups import grouping_record, pool_groups
from ig4.core.engine.pooling.settings import PoolSettings
from ig4.core.engine.pooling.spaces import SpaceVectors, space_vectors
from ig4.core.engine.pooling.storedsamples import StoredMeta, StoredSamples
from ig4.core.engine.selecting.percent import paper_scale
from ig4.storage import scorecolumns, scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.engine.session import Session
    from ig4.core.records import JSON, Sample
    from ig4.storage.datasets import DatasetRow
    from ig4.storage.scorecolumns import ScoreColumnRow


@dataclass(frozen=True, slots=True)
class CountedScores:
    """The scores that count: m scorers with weights (m,), raw and percent (n, m), final (n,)."""

    names: tuple[str, ...]
    weights: NDArray[np.float64]
    raw: NDArray[np.float64]
    percent: NDArray[np.float64]
    final: NDArray[np.float64]

    @classmethod
    def none(cls, n: int) -> CountedScores:
        """Return those of a pool of n samples that is not scored."""
        empty = np.empty((n, 0))
        return cls((), np.empty(0), empty, empty, np.zeros(n))


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """What was read of pools: digests of spaces, and groupers with their options, by name.

    Names alone do not tell two selections apart: vectors and groupers change behind them.
    """

    spaces: dict[str, str] = field(default_factory=dict)
    groups: dict[str, dict[str, JSON]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return what was read, JSON-able, without what was not."""
        given = {"spaces_read": dict(self.spaces), "groups_read": dict(self.groups)}
        return {name: value for name, value in given.items() if value}


@dataclass(slots=True)
class StoredPoolData:
    """A `PoolData` of samples of a data set, ids and contents (n,) int64, in its order."""

    session: Session
    dataset: DatasetRow
    settings: PoolSettings
    sample_ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    counted: CountedScores
    clusters: NDArray[np.int64]
    samples: Sequence[Sample] = ()
    meta: Sequence[Mapping[str, JSON]] = ()
    read: ReadRecord = field(default_factory=ReadRecord)
    _columns: dict[str, ScoreColumnRow] | None = None
    _values: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    _spaces: dict[str, SpaceVectors | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.samples = StoredSamples(
            self.session.store, self.sample_ids, dataset_id=self.dataset.id
        )
        self.meta = StoredMeta(self.session.store, self.sample_ids)

    @property
    def n(self) -> int:
        """How many samples there are."""
        return len(self.sample_ids)

    @property
    def scorers(self) -> tuple[str, ...]:
        """The scorers that count."""
        return self.counted.names

    @property
    def weights(self) -> NDArray[np.float64]:
        """Their weights."""
        return self.counted.weights

    @property
    def final(self) -> NDArray[np.float64]:
        """F(x)."""
        return self.counted.final

    def raw(self, scorer: str) -> NDArray[np.float64] | None:
        """Return the values of a column, NaN where there is none; None if there is no column."""
        if scorer in self.counted.names:
            return self.counted.raw[:, self.counted.names.index(scorer)]
        column = self._column(scorer)
        if column is None:
            return None
        if scorer not in self._values:
            with self.session.store.reading() as connection:
                found = scores.values(connection, column.component_id, self.contents)
            self._values[scorer] = found
        return self._values[scorer]

    def percent(self, scorer: str) -> NDArray[np.float64]:
        """Return percents: of a column that does not count, on its own scale."""
        if scorer in self.counted.names:
            return self.counted.percent[:, self.counted.names.index(scorer)]
        raw, column = self.raw(scorer), self._column(scorer)
        assert raw is not None
        assert column is not None
        known = ~np.isnan(raw)
        result = np.full_like(raw, np.nan)
        result[known] = paper_scale(self.session, column)(raw[known])
        return result

    def vectors(self, space: str) -> NDArray[np.float32] | None:
        """Return the vectors of a space, zeros where a sample has none; None where none has."""
        found = self._space(space)
        if found is None or (found.row_of < 0).all():
            return None
        return found.vectors if found.is_in_order else found.matrix(0.0)

    def has_space(self, space: str) -> bool:
        """Tell whether `vectors` has any, without reading them."""
        found = self._space(space)
        return found is not None and bool((found.row_of >= 0).any())

    def neighbours(self, space: str, k: int) -> Neighbours:
        """Return nearest neighbours in a space, by the configured index."""
        found = self._space(space)
        assert found is not None
        return space_neighbours(self.session, found, k, index=self.settings.index)

    def _space(self, space: str) -> SpaceVectors | None:
        if space not in self._spaces:
            found = space_vectors(
                self.session,
                self.dataset,
                space,
                self.settings.embedders,
                self.sample_ids,
                self.contents,
            )
            self._spaces[space] = found
            if found is not None:
                self.read.spaces[space] = found.digest
        return self._spaces[space]

    def groups(self, name: str) -> Groups:
        """Return a grouping of the data set, of these samples."""
        found = pool_groups(
            self.session, self.dataset, self.settings, name, self.sample_ids, self.contents
        )
        self.read.groups[name] = grouping_record(self.settings, name, found)
        return found.groups

    def _column(self, name: str) -> Any:
        if self._columns is None:
            with self.session.store.reading() as connection:
                rows = scorecolumns.list_all(connection, self.dataset.id)
            self._columns = {row.name: row for row in rows}
        return self._columns.get(name)
