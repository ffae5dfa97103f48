"""The samples of a pool, read from the store page by page as they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from ig4.core.engine.ingesting.contents import turns_of
from ig4.core.engine.ingesting.meta import meta_of
from ig4.core.engine.scoring.samples import sample_of
from ig4.core.records import JSON, Sample
from ig4.storage import datasets, samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from ig4.storage.store import Store

T = TypeVar("T")

PAGE = 4096
"""How many samples are in memory at a time."""


class _Pages(Sequence[T], Generic[T]):
    """What the store has of the samples with some ids, in their order, a page in memory.

    `read` hears of each page that is read for the first time: of how many samples it is. A
    sample's own id is the one that it has in the data set `dataset_id`, where one is given.
    """

    def __init__(
        self,
        store: Store,
        sample_ids: NDArray[np.int64],
        read: Callable[[int], None] | None = None,
        dataset_id: int | None = None,
    ) -> None:
        self.store = store
        self.sample_ids = sample_ids
        self.dataset_id = dataset_id
        self.read = read
        self._number = -1
        self._furthest = -1
        self._page: list[T] = []
        self._datasets: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.sample_ids)

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[T]: ...

    def __getitem__(self, place: int | slice) -> T | Sequence[T]:
        if isinstance(place, slice):
            return [self[row] for row in range(*place.indices(len(self)))]
        row = range(len(self))[place]  # a negative place counts from the end; raises IndexError
        return self._at(row // PAGE)[row % PAGE]

    def __iter__(self) -> Iterator[T]:
        for number in range(-(-len(self) // PAGE)):
            yield from self._at(number)

    def _at(self, number: int) -> list[T]:
        if number != self._number:
            ids = self.sample_ids[number * PAGE : (number + 1) * PAGE].tolist()
            with self.store.reading() as connection:
                if not self._datasets:
                    self._datasets = {row.id: row.name for row in datasets.list_all(connection)}
                self._page = self._load(connection, ids)
            self._number = number
            if self.read is not None and number > self._furthest:
                self._furthest = number
                self.read(len(ids))
        return self._page

    @abstractmethod
    def _load(self, connection: Connection, ids: list[int]) -> list[T]:
        """Read what a page holds."""


class StoredSamples(_Pages[Sample]):
    """The samples with some ids, in their order, with their records."""

    def _load(self, connection: Connection, ids: list[int]) -> list[Sample]:
        rows = samples.by_id(connection, ids, self.dataset_id)
        named = self._datasets
        return [sample_of(row, dataset=named.get(row.dataset_id or 0), raw=True) for row in rows]


class StoredMeta(_Pages[Mapping[str, JSON]]):
    """What the data set tells of the samples with some ids, in their order; see `Sample.meta`."""

    def _load(self, connection: Connection, ids: list[int]) -> list[Mapping[str, JSON]]:
        return [
            meta_of(row, _answers(row), self._datasets.get(row.dataset_id or 0))
            for row in samples.told(connection, ids)
        ]


def _answers(row: samples.SampleRow) -> int:
    return sum(turn.role == "assistant" for turn in turns_of(row))
