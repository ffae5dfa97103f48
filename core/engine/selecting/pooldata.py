"""The pool of a selection: the candidates of a data set, with what a selector needs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ig4.core.contracts import Groups, Needs, Neighbours, Pool
from ig4.core.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.engine.selecting.candidates import CandidateTable
    from ig4.core.engine.session import Session
    from ig4.core.records import JSON, Sample
    from ig4.storage.datasets import DatasetRow


@dataclass(frozen=True, slots=True)
class CandidatePoolData:
    """A `PoolData` of the candidates of a selection."""

    session: Session
    dataset: DatasetRow
    table: CandidateTable

    @property
    def n(self) -> int:
        """How many candidates there are."""
        return len(self.table.sample_ids)

    @property
    def contents(self) -> NDArray[np.int64]:
        """The ids of their contents."""
        return self.table.contents

    @property
    def scorers(self) -> tuple[str, ...]:
        """The scorers that count."""
        return self.table.names

    @property
    def weights(self) -> NDArray[np.float64]:
        """Their weights."""
        return self.table.weights

    @property
    def final(self) -> NDArray[np.float64]:
        """F(x)."""
        return self.table.final

    def raw(self, scorer: str) -> NDArray[np.float64] | None:
        """Return the values of a scorer that counts."""
        if scorer not in self.table.names:
            return None
        return self.table.raw[:, self.table.names.index(scorer)]

    def percent(self, scorer: str) -> NDArray[np.float64]:
        """Return the percents of a scorer that counts."""
        return self.table.percent[:, self.table.names.index(scorer)]

    def vectors(self, space: str) -> NDArray[np.float32] | None:
        """Return the vectors of a space."""
        return None

    def neighbours(self, space: str, k: int) -> Neighbours:
        """Return nearest neighbours in a space."""
        raise UsageError(f"{self.dataset.name} has no vectors of the space {space}")

    def groups(self, name: str) -> Groups:
        """Return a grouping."""
        raise UsageError(f"{self.dataset.name} has no groups {name}")

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The clusters that the request chose."""
        return self.table.labels

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples."""
        raise UsageError("samples cannot be read yet")

    @property
    def meta(self) -> Sequence[Mapping[str, JSON]]:
        """What the data set tells of them."""
        raise UsageError("samples cannot be read yet")


def candidate_pool(
    session: Session,
    dataset: DatasetRow,
    table: CandidateTable,
    needs: Needs,
    *,
    size: int,
    seed: int,
    reader: str,
) -> Pool:
    """Return the pool that a selector of `needs` sees of the candidates."""
    data = CandidatePoolData(session, dataset, table)
    return Pool(data, size=size, seed=seed, needs=needs, reader=reader)
