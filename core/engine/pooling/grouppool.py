"""What a grouper sees of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ig4.core.engine.pooling.storedsamples import StoredMeta, StoredSamples
from ig4.core.engine.pooling.unscored import UnscoredPoolData
from ig4.core.events import StageAdvanced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ig4.core.contracts import Groups
    from ig4.core.engine.pooling.spaces import SpaceVectors
    from ig4.core.engine.session import Session
    from ig4.core.records import JSON, Sample


@dataclass
class GroupPoolData(UnscoredPoolData):
    """A `PoolData` of the samples of a data set, before any of them is scored.

    `rows` are those that the grouper sees, None for all: those with vectors.
    """

    reader: ClassVar[str] = "a grouper"
    session: Session
    all_ids: NDArray[np.int64]
    all_contents: NDArray[np.int64]
    spaces: Mapping[str, SpaceVectors]
    groupings: Mapping[str, Groups]
    all_clusters: NDArray[np.int64] | None
    rows: NDArray[np.int64] | None
    reads_samples: bool
    stage: str | None = None

    def advance(self, stage: str) -> None:
        """Tell from now on how many samples were read, as progress of a stage."""
        self.stage = stage

    def _seen(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        return values if self.rows is None else values[self.rows]

    @property
    def n(self) -> int:
        """How many samples there are."""
        return len(self._seen(self.all_ids))

    @property
    def contents(self) -> NDArray[np.int64]:
        """A number for each content."""
        return self._seen(self.all_contents)

    def vectors(self, space: str) -> NDArray[np.float32] | None:
        """Return the vectors of a space."""
        found = self.spaces.get(space)
        if found is None:
            return None
        rows = self._seen(found.row_of)
        same = len(rows) == len(found.vectors) and np.array_equal(rows, np.arange(len(rows)))
        return found.vectors if same else np.asarray(found.vectors[rows])

    def groups(self, name: str) -> Groups:
        """Return another grouping."""
        found = self.groupings[name]
        return found if self.rows is None else found.take(self.rows)

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The clusters that the user chose."""
        assert self.all_clusters is not None
        return self._seen(self.all_clusters)

    @cached_property
    def samples(self) -> Sequence[Sample]:
        """The samples, read as they are asked for."""
        return StoredSamples(self.session.store, self._seen(self.all_ids), self._read)

    @cached_property
    def meta(self) -> Sequence[Mapping[str, JSON]]:
        """What the data set tells of them, read as it is asked for."""
        read = None if self.reads_samples else self._read
        return StoredMeta(self.session.store, self._seen(self.all_ids), read)

    def _read(self, count: int) -> None:
        if self.stage is not None:
            self.session.emit(StageAdvanced(self.stage, count))
