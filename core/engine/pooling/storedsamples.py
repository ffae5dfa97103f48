"""The samples of a pool, read from the store page by page as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from ig4.core.engine.scoring.samples import sample_of
from ig4.storage import samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ig4.core.records import Sample
    from ig4.storage.store import Store

_PAGE = 4096


class StoredSamples(Sequence["Sample"]):
    """The samples with some ids, in their order; only the page that was read last is in memory."""

    def __init__(self, store: Store, sample_ids: NDArray[np.int64]) -> None:
        self.store = store
        self.sample_ids = sample_ids
        self._number = -1
        self._page: list[Sample] = []

    def __len__(self) -> int:
        return len(self.sample_ids)

    @overload
    def __getitem__(self, place: int) -> Sample: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Sample]: ...

    def __getitem__(self, place: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(place, slice):
            return [self[row] for row in range(*place.indices(len(self)))]
        row = range(len(self))[place]  # a negative place counts from the end; raises IndexError
        return self._at(row // _PAGE)[row % _PAGE]

    def __iter__(self) -> Iterator[Sample]:
        for number in range(-(-len(self) // _PAGE)):
            yield from self._at(number)

    def _at(self, number: int) -> list[Sample]:
        if number != self._number:
            ids = self.sample_ids[number * _PAGE : (number + 1) * _PAGE].tolist()
            with self.store.reading() as connection:
                self._page = [sample_of(row) for row in samples.by_id(connection, ids)]
            self._number = number
        return self._page
